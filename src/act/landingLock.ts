/**
 * Fairness on main (PROTOCOL P5.6). A node whose push was refused three times takes the advisory lock `landing`; others
 * pause for it. Four fast landers once left a slow one 0 of 33. The lock protects nothing: the lease on main does.
 */
import type { Oid } from '../model/ids.ts';
import { LOCKS_PREFIX } from '../model/layout.ts';
import type { HubView } from '../observe/hubMirror.ts';
import { nodeSignature } from './node.ts';
import type { Node } from './node.ts';

const LOCK = `${LOCKS_PREFIX}landing`;
export const REFUSALS_BEFORE_LOCK = 3;
/** A holder is done within this, or dead: a lock seen for longer is taken away. */
const HONOURED_MS = 5_000;
const LOOK_EVERY_MS = 200;

/**
 * Waits while another node holds the lock, and says whether it had to. `mine` is the lock that this node holds itself.
 * Whoever succeeds at every first try must look too: it is the fast ones that starve the slow.
 */
export async function yieldToLock(node: Node, view: HubView, mine: Oid | null): Promise<boolean> {
  const { mirror, clock, hub } = node;
  const seen = view.refs.get(LOCK);
  if (seen === undefined || seen === mine) return false;
  const startedMs = clock.bootMs();
  while (clock.bootMs() - startedMs < HONOURED_MS) {
    await clock.sleep(LOOK_EVERY_MS);
    if ((await mirror.refresh()).refs.get(LOCK) !== seen) return true;
  }
  const update = { ref: LOCK, expect: seen, to: null };
  if ((await hub.push([update])).kind === 'accepted') await mirror.adopt([update]);
  else await mirror.refresh();
  return true;
}

/** The lock's oid, or null when another node has it. */
export async function takeLock(node: Node): Promise<Oid | null> {
  const { store, hub, mirror, identity, clock } = node;
  if (mirror.known().refs.has(LOCK)) return null;
  const blob = await store.writeBlob(Buffer.from(`${JSON.stringify({ schema: 'cambium.lock/1', lock: 'landing', node: identity.node, op: clock.ulid() })}\n`));
  const tree = await store.writeTree([{ mode: '100644', name: 'lock.json', oid: blob }]);
  const signature = nodeSignature(node);
  const commit = await store.writeCommit({ tree, parents: [], author: signature, committer: signature, message: `landing: lock by ${identity.node}\n` });
  const update = { ref: LOCK, expect: null, to: commit };
  if ((await hub.push([update])).kind !== 'accepted') return null;
  await mirror.adopt([update]);
  return commit;
}

export async function dropLock(node: Node, lock: Oid | null): Promise<void> {
  if (lock === null) return;
  const update = { ref: LOCK, expect: lock, to: null };
  if ((await node.hub.push([update])).kind === 'accepted') await node.mirror.adopt([update]);
}
