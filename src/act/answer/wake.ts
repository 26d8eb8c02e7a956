/** Winning and giving back the right to answer (model/talk.ts): one small ref a place and agent, moved by compare-and-swap. */
import type { Oid } from '../../model/ids.ts';
import { renderMessage } from '../../model/message.ts';
import { WAKES_PREFIX, placeName, wakeRef } from '../../model/talk.ts';
import type { HeldWake, Wake } from '../../model/talk.ts';
import { WAKE_FILE, renderWake } from '../../observe/wakeRecord.ts';
import type { DueWake } from '../../orient/wakes.ts';
import { writeFileTree } from '../commit.ts';
import { nodeSignature } from '../node.ts';
import type { Node } from '../node.ts';
import { drop } from '../publish.ts';
import type { Member } from '../publish.ts';

export interface WakeRequest {
  readonly due: DueWake;
  /** The wake of a node that fell silent, which this one takes the place of; null where the ref is to be made. */
  readonly lapsed: Oid | null;
  readonly ttlMs: number;
}

export interface WakeWon extends HeldWake {
  readonly due: DueWake;
  /** Boot-time ms just before the push: the lease counts from here. */
  readonly startedMs: number;
}

export const wakeMemberKey = (key: string): string => `wake:${key}`;

export function wakeMember(node: Node, { due, lapsed, ttlMs }: WakeRequest): Member<WakeWon> {
  const ref = wakeRef(due.key);
  return {
    key: wakeMemberKey(due.key),
    async build(base) {
      const tip = base.view.refs.get(ref) ?? null;
      if (tip !== lapsed) return drop('lost', 'another node answers');
      const startedMs = node.clock.bootMs();
      const wake: Wake = {
        schema: 'cambium.wake/1', agent: due.agent, channel: 'channel' in due.place ? due.place.channel : null, node: node.identity.node, incarnation: node.identity.incarnation,
        spawn: node.clock.ulid(), messages: due.messages.map(({ id }) => id), ttl_s: Math.ceil(ttlMs / 1000), op: node.clock.ulid(), at: node.clock.now().toISOString(),
      };
      const signature = nodeSignature(node);
      const message = renderMessage({ subject: `${placeName(due.place)}: ${due.agent} wakes on ${node.identity.node}`, trailers: { Kind: 'wake', Agent: due.agent, Node: node.identity.node, Spawn: wake.spawn, 'Op-Id': wake.op } });
      const oid = await node.store.writeCommit({ tree: await writeFileTree(node.store, WAKE_FILE, renderWake(wake)), parents: [], author: signature, committer: signature, message });
      return { main: base.main, refs: [{ ref, expect: tip, to: oid }], value: { tip: oid, wake, due, startedMs } };
    },
  };
}

/** Gives a wake back, or clears one that its node left behind; gone or moved on is as good. */
export function dropWakeMember(key: string, tip: Oid): Member<null> {
  const ref = `${WAKES_PREFIX}${key}`;
  return {
    key: `unwake:${key}`,
    build: async (base) => (base.view.refs.get(ref) === tip ? { main: base.main, refs: [{ ref, expect: tip, to: null }], value: null } : { already: null }),
  };
}
