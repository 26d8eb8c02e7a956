/** claim.json: one transition of a claim chain (docs/formats.md). */
import { CLAIM_KINDS, type ClaimRecord } from '../model/claim.ts';
import { type RecordKind, readRecord, renderRecord } from './jsonRecord.ts';
import { agentId, anyText, bool, id, nullable, number, oid, oneOf, optional, shape, string, whole } from './rules.ts';

const CLAIM: RecordKind = {
  name: 'claim.json',
  schema: 'cambium.claim/1',
  rule: shape({
    schema: oneOf(['cambium.claim/1']),
    task: id,
    kind: oneOf(CLAIM_KINDS),
    epoch: whole(0),
    attempt: whole(0),
    agent: nullable(agentId),
    node: nullable(id),
    incarnation: nullable(anyText),
    op: string('must be an op-id', (value) => value !== ''),
    instruction: nullable(shape({ blob: oid, commit: oid })),
    ttl_s: number('must be a number of seconds', (value) => value >= 0),
    claimed_at: anyText,
    outcome: optional(oneOf(['done', 'failed'])),
    result: optional(oid),
    reason: optional(anyText),
    by: optional(anyText),
    not_before: optional(anyText),
    spent: optional(bool),
    branch: optional(anyText),
    commit: optional(oid),
    question: optional(anyText),
  }),
};

const ORDER = [
  'schema', 'task', 'kind', 'epoch', 'attempt', 'agent', 'node', 'incarnation', 'op', 'instruction', 'ttl_s', 'claimed_at',
  'outcome', 'result', 'reason', 'by', 'not_before', 'spent', 'branch', 'commit', 'question',
] as const;

/** Throws CambiumError `schema-too-new` or `bad-file`. */
export function parseClaimRecord(bytes: Uint8Array): ClaimRecord {
  return readRecord(bytes, CLAIM) as unknown as ClaimRecord;
}

/** The same record gives the same bytes on every node: the projection is compared by its blob. */
export function renderClaimRecord(record: ClaimRecord): string {
  return renderRecord(record, ORDER);
}
