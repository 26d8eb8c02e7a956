/**
 * guest.json: one transition of the chain `refs/cambium/guests/<fleet>/<task>` in a project's hub (PROTOCOL P7). A `claim`
 * is an epoch that began there; a `landed` names the commit that holds the work, and what there is to tell of it, so that
 * whoever resumes writes the same result.
 */
import type { AgentId, NodeName, Oid, TaskId } from '../model/ids.ts';
import type { Criterion, TaskResult } from '../model/task.ts';
import { type RecordKind, readRecord, renderRecord } from './jsonRecord.ts';
import { agentId, anyText, bool, id, isArgument, listOf, nullable, number, oid, oneOf, optional, shape, string, whole } from './rules.ts';

export interface GuestRecord {
  readonly schema: 'cambium.guest/1';
  readonly fleet: string;
  readonly task: TaskId;
  readonly kind: 'claim' | 'landed';
  /** Of the workspace's claim. */
  readonly epoch: number;
  readonly op: string;
  readonly agent: AgentId;
  readonly node: NodeName;
  /** Tip of the workspace's claim chain that it belongs to. */
  readonly claim: Oid;
  /** Blob of the instruction file that the work follows. */
  readonly instruction: Oid;
  /** Commit of the project's branch when the epoch began there: what landed since stands above it. */
  readonly base: Oid;
  /** landed: the commit with the work, and the branch it was pushed to. */
  readonly result?: Oid;
  readonly branch?: string;
  readonly report?: string;
  readonly criteria?: readonly Criterion[];
  readonly verify?: TaskResult['verify'];
  readonly commits?: readonly Oid[];
  readonly notes?: readonly string[];
  /** Keys of a newer minor version, kept byte for byte. */
  readonly [key: string]: unknown;
}

const GUEST: RecordKind = {
  name: 'guest.json',
  schema: 'cambium.guest/1',
  rule: shape({
    schema: oneOf(['cambium.guest/1']),
    fleet: id,
    task: id,
    kind: oneOf(['claim', 'landed']),
    epoch: whole(1),
    op: string('must be an op-id', (value) => value !== ''),
    agent: agentId,
    node: id,
    claim: oid,
    instruction: oid,
    base: oid,
    result: optional(oid),
    branch: optional(string('must be a branch', isArgument)),
    report: optional(anyText),
    criteria: optional(listOf(shape({ text: anyText, met: bool, evidence: anyText }))),
    verify: optional(nullable(shape({ command: anyText, exit: number('must be a whole number', Number.isSafeInteger), seconds: number('must be a number of at least 0', (value) => value >= 0) }))),
    commits: optional(listOf(oid)),
    notes: optional(listOf(anyText)),
  }),
};

const ORDER = [
  'schema', 'fleet', 'task', 'kind', 'epoch', 'op', 'agent', 'node', 'claim', 'instruction', 'base', 'result', 'branch', 'report', 'criteria', 'verify', 'commits', 'notes',
] as const;

/** Throws CambiumError `schema-too-new` or `bad-file`. */
export function parseGuestRecord(bytes: Uint8Array): GuestRecord {
  return readRecord(bytes, GUEST) as unknown as GuestRecord;
}

export function renderGuestRecord(record: GuestRecord): string {
  return renderRecord(record, ORDER);
}
