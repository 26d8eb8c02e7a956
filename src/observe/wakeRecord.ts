/** wake.json on `refs/cambium/wakes/<agent>/<channel>` (docs/formats.md). */
import type { Wake } from '../model/talk.ts';
import { readRecord, renderRecord } from './jsonRecord.ts';
import type { RecordKind } from './jsonRecord.ts';
import { agentId, anyText, id, listOf, oneOf, shape, whole } from './rules.ts';
import type { Rule } from './rules.ts';

export const WAKE_FILE = 'wake.json';

const idOrNull: Rule = (value) => (value === null ? null : id(value));

const WAKE: RecordKind = {
  name: WAKE_FILE,
  schema: 'cambium.wake/1',
  rule: shape({
    schema: oneOf(['cambium.wake/1']), agent: agentId, channel: idOrNull, node: id, incarnation: anyText, spawn: anyText, messages: listOf(anyText), ttl_s: whole(1), op: anyText, at: anyText,
  }),
};

const ORDER = ['schema', 'agent', 'channel', 'node', 'incarnation', 'spawn', 'messages', 'ttl_s', 'op', 'at'] as const;

/** Throws CambiumError `schema-too-new` or `bad-file`. */
export function parseWake(bytes: Uint8Array): Wake {
  return readRecord(bytes, WAKE) as unknown as Wake;
}

export function renderWake(wake: Wake): string {
  return renderRecord(wake, ORDER);
}
