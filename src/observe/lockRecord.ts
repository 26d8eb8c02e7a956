/** lock.json: one transition of a lock's chain (docs/formats.md). */
import type { LockChain, LockRecord } from '../model/lock.ts';
import type { Oid } from '../model/ids.ts';
import { LOCKS_PREFIX } from '../model/layout.ts';
import type { Store } from '../ports/store.ts';
import { type RecordKind, readRecord, renderRecord } from './jsonRecord.ts';
import { anyText, id, isLine, listOf, number, oneOf, optional, shape, string, whole } from './rules.ts';
import { fileAt, treeOf } from './tree.ts';

const op = string('must be an op-id', (value) => value !== '');
const holder = string('must be agent:<id> or human:<name>', (value) => /^(?:agent|human):\S(?:.*\S)?$/u.test(value));
const ttl = number('must be a number of seconds', (value) => value >= 0);
/** The same test as for the globs of cambium.yaml. */
export const isPathGlob = (value: string): boolean => isLine(value) && !value.startsWith('/') && !value.split('/').includes('..');
const lease = { holder, node: id, op, ttl_s: ttl, why: anyText, at: anyText, spawn: optional(anyText) };

const LOCK: RecordKind = {
  name: 'lock.json',
  schema: 'cambium.lock/1',
  rule: shape({
    schema: oneOf(['cambium.lock/1']), name: id, kind: oneOf(['take', 'renew', 'release']), epoch: whole(0), incarnation: anyText, ...lease,
    reservations: optional(listOf(shape({ ...lease, globs: listOf(string('must be a glob over paths of the tree', isPathGlob)) }))),
    by: optional(anyText), reason: optional(anyText),
  }),
};

const ORDER = ['schema', 'name', 'kind', 'epoch', 'holder', 'node', 'incarnation', 'op', 'why', 'ttl_s', 'at', 'spawn', 'reservations', 'by', 'reason'] as const;

/** Throws CambiumError `schema-too-new` or `bad-file`. */
export function parseLockRecord(bytes: Uint8Array): LockRecord {
  return readRecord(bytes, LOCK) as unknown as LockRecord;
}

export function renderLockRecord(record: LockRecord): string {
  return renderRecord(record, ORDER);
}

/** The chain at a tip; null where there is none, and for a tip that holds no such record: the engine's own lock has another shape. */
export async function readLock(store: Store, tip: Oid | undefined): Promise<LockChain | null> {
  if (tip === undefined) return null;
  const file = await fileAt(store, await treeOf(store, tip), 'lock.json');
  return file === null ? null : { tip, record: parseLockRecord(file.bytes) };
}

/** Names of the locks that a view of the hub shows, but for the engine's own, with their tips. */
export function lockTips(refs: ReadonlyMap<string, Oid>): ReadonlyMap<string, Oid> {
  return new Map([...refs].filter(([ref]) => ref.startsWith(LOCKS_PREFIX) && ref !== `${LOCKS_PREFIX}landing`).map(([ref, oid]) => [ref.slice(LOCKS_PREFIX.length), oid]));
}
