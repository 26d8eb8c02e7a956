/** Writes one transition of a claim chain: a commit whose tree is claim.json and whose first parent is the tip before it. */
import type { ClaimRecord } from '../model/claim.ts';
import type { Signature } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import { claimRef } from '../model/layout.ts';
import { renderMessage } from '../model/message.ts';
import type { RefUpdate } from '../model/git.ts';
import { renderClaimRecord } from '../observe/claimRecord.ts';
import { writeFileTree } from './commit.ts';
import { nodeSignature } from './node.ts';
import type { Node } from './node.ts';

export interface Transition {
  readonly oid: Oid;
  readonly record: ClaimRecord;
  readonly update: RefUpdate;
}

export interface TransitionDraft {
  readonly record: Omit<ClaimRecord, 'schema' | 'op'> & { readonly op?: string };
  readonly author: Signature;
  readonly tip: Oid | null;
  /** What the ref stands at; differs from `tip` when several transitions go in one push. */
  readonly expect?: Oid | null;
  /** The main commit that the same push moves (P5.1): it becomes the second parent. */
  readonly landing?: Oid;
}

export async function writeTransition(node: Node, draft: TransitionDraft): Promise<Transition> {
  const { store, clock } = node;
  // `schema` and `op` come first, as docs/formats.md shows them; every candidate has an op-id of its own (P2.2).
  const record = { ...draft.record, op: draft.record.op ?? clock.ulid(), schema: 'cambium.claim/1' } as ClaimRecord;
  const tree = await writeFileTree(store, 'claim.json', renderClaimRecord(record));
  const parents = [draft.tip, draft.landing].filter((oid): oid is Oid => oid !== null && oid !== undefined);
  const message = renderMessage({
    subject: `${record.task}: ${record.kind} epoch ${record.epoch}${record.agent === null ? '' : ` by ${record.agent}`}`,
    body: record.reason ?? '',
    trailers: { Kind: record.kind, Task: record.task, Agent: record.agent, Node: record.node, Epoch: record.epoch, Attempt: record.attempt, 'Op-Id': record.op },
  });
  const oid = await store.writeCommit({ tree, parents, author: draft.author, committer: nodeSignature(node), message });
  const expect = draft.expect === undefined ? draft.tip : draft.expect;
  return { oid, record, update: { ref: claimRef(record.task), expect, to: oid } };
}
