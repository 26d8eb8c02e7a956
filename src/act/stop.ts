/** Wishes of people on `refs/cambium/stop`: a chain of records, each swapped by lease on the one that was read (docs/formats.md). */
import type { Signature } from '../model/git.ts';
import { STOP_REF } from '../model/layout.ts';
import { renderMessage } from '../model/message.ts';
import type { StopRecord } from '../model/stop.ts';
import { readStop, renderStopRecord } from '../observe/stopRecord.ts';
import { writeFileTree } from './commit.ts';
import { nodeSignature } from './node.ts';
import type { Node } from './node.ts';
import { drop } from './publish.ts';
import type { Member } from './publish.ts';

export const STOP_KEY = 'stop';

export interface StopRequest {
  /** What the record becomes; null: it says so already. Asked anew where somebody else was faster, so that no wish is lost. */
  readonly change: (stop: StopRecord, op: string) => StopRecord | null;
  readonly author: Signature;
  /** First line of the commit. */
  readonly subject: string;
}

export function stopMember(node: Node, { change, author, subject }: StopRequest): Member<StopRecord> {
  return {
    key: STOP_KEY,
    async build(base) {
      const expect = base.view.refs.get(STOP_REF) ?? null;
      const { stop, problems } = await readStop(node.store, expect ?? undefined);
      const op = node.clock.ulid();
      const next = change(stop, op);
      if (next === null) return problems.length > 0 ? drop('forbidden', problems[0]?.reason ?? '') : { already: stop };
      const tree = await writeFileTree(node.store, 'stop.json', renderStopRecord({ ...next, schema: 'cambium.stop/1', op }));
      const message = renderMessage({ subject, trailers: { Kind: 'stop', Node: node.identity.node, 'Op-Id': op } });
      const oid = await node.store.writeCommit({ tree, parents: expect === null ? [] : [expect], author, committer: nodeSignature(node), message });
      return { main: base.main, refs: [{ ref: STOP_REF, expect, to: oid }], value: { ...next, op } };
    },
  };
}
