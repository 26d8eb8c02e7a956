/** node.json: what stands on a node's ref, a heartbeat or a break (docs/formats.md, PROTOCOL P4). */
import type { NodeRecord } from '../model/node.ts';
import { type RecordKind, readRecord, renderRecord } from './jsonRecord.ts';
import { type Rule, anyText, agentId, id, listOf, oid, oneOf, optional, shape, string, whole } from './rules.ts';

const HEARTBEAT: Rule = shape({
  schema: oneOf(['cambium.node/1']),
  nonce: anyText,
  main: string('must be a git object id, or empty', (value) => value === '' || oid(value) === null),
  node: id,
  machine: anyText,
  incarnation: anyText,
  boot_id: anyText,
  seq: whole(0),
  version: anyText,
  claims: listOf(shape({ task: id, epoch: whole(0), claim: oid })),
  spawns: listOf(shape({ id: anyText, agent: agentId })),
});

const BREAK: Rule = shape({
  schema: oneOf(['cambium.node/1']),
  node: id,
  by: id,
  breaks: listOf(shape({ task: id, epoch: whole(0) })),
  op: string('must be an op-id', (value) => value !== ''),
  reason: optional(anyText),
});

const NODE: RecordKind = {
  name: 'node.json',
  schema: 'cambium.node/1',
  rule: (value) => shape({ kind: oneOf(['heartbeat', 'break']) })(value) ?? ((value as { kind: string }).kind === 'break' ? BREAK : HEARTBEAT)(value),
};

const ORDER = [
  'schema', 'kind', 'nonce', 'main', 'node', 'machine', 'incarnation', 'boot_id', 'seq', 'version', 'claims', 'spawns', 'by', 'breaks', 'op', 'reason',
] as const;

/** Throws CambiumError `schema-too-new` or `bad-file`. */
export function parseNodeRecord(bytes: Uint8Array): NodeRecord {
  return readRecord(bytes, NODE) as unknown as NodeRecord;
}

export function renderNodeRecord(record: NodeRecord): string {
  return renderRecord(record, ORDER);
}
