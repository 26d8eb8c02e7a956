/** `cambium clean --examples`: the tasks that come with cambium leave the tree, with their results and with what they made, in one commit. */
import { createHash } from 'node:crypto';
import { readChain } from '../act/claim.ts';
import { commitOn } from '../act/commit.ts';
import { drop, publish } from '../act/publish.ts';
import type { Base, Member, Published } from '../act/publish.ts';
import { chainState, isTerminal } from '../model/claim.ts';
import type { Chain } from '../model/claim.ts';
import type { Signature } from '../model/git.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { claimPath, resultPath, taskPath } from '../model/layout.ts';
import { renderMessage } from '../model/message.ts';
import type { Fleet } from '../model/snapshot.ts';
import { entryAt, fileAt, treeOf } from '../observe/tree.ts';
import type { Store } from '../ports/store.ts';
import { published } from './published.ts';
import { actor } from './session.ts';
import type { Session } from './session.ts';
import { syncAfterward } from './sync.ts';

interface Example {
  readonly id: TaskId;
  /** What it makes. */
  readonly output: string;
  /** SHA-256 of each text that it was ever shipped with. */
  readonly shipped: readonly string[];
}

export const EXAMPLES: readonly Example[] = [
  { id: 'example-hello', output: 'examples/hello.txt', shipped: ['c1781a4063aa9e7164ebcd0633f2988b0394fef5ab0885292e4d6bf5e502ac2f'] },
  { id: 'example-data', output: 'examples/data.json', shipped: ['fce9507b4215504aa20a709990da784d53de502d2ff937880bb8d8e1675f8938'] },
  { id: 'example-manifest', output: 'examples/manifest.txt', shipped: ['57b9e57d96c34fc2c4a39303aefffeb2d4fbbce8910cdddbae034afdf22ab767'] },
];

export interface Cleaned {
  /** Null when there was nothing to remove. */
  readonly commit: Oid | null;
  readonly removed: readonly string[];
  readonly left: readonly { readonly path: string; readonly reason: string }[];
}

/** Throws `refused` while an example is being worked on, or waits for a person, and as any push does. */
export async function cleanExamples(session: Session): Promise<Cleaned> {
  const { node } = session;
  const ends = await publish(node, [cleanMember(session, await actor(session))]);
  const cleaned = published('The examples', ends.get('clean') as Published<Cleaned>);
  if (cleaned.commit !== null) await syncAfterward(session);
  return cleaned;
}

function cleanMember(session: Session, by: Signature): Member<Cleaned> {
  const { node } = session;
  const candidates: Cleaned[] = [];
  return {
    key: 'clean',
    async build(base) {
      for (const candidate of candidates) if (await node.store.isAncestor(candidate.commit as Oid, base.main)) return { already: candidate };
      const judged = await Promise.all(EXAMPLES.map((example) => judge(session, base, example)));
      const held = judged.find(({ verdict }) => verdict === 'held');
      if (held !== undefined) return drop('not-ready', held.reason);
      const { removed, left } = settle(session.fleet, judged);
      if (removed.length === 0) return { already: { commit: null, removed, left } };
      const commit = await commitOn(node, base.main, new Map(removed.map((path) => [path, null])), {
        author: by, message: renderMessage({ subject: 'cambium: remove the example tasks', body: removed.join('\n'), trailers: { Kind: 'clean' } }),
      });
      const cleaned = { commit, removed, left };
      candidates.push(cleaned);
      return { main: commit, refs: [], value: cleaned };
    },
  };
}

interface Judged {
  readonly example: Example;
  readonly verdict: 'remove' | 'leave' | 'held';
  /** Why it is left, or who holds it. */
  readonly reason: string;
  /** Its own files that are there. */
  readonly files: readonly string[];
  /** What it made: still as it was made, absent, or why it is left. */
  readonly output: 'as-made' | 'absent' | { readonly reason: string };
}

async function judge({ clone, node }: Session, base: Base, example: Example): Promise<Judged> {
  const { store } = node;
  const path = taskPath(example.id);
  const [tree, chain] = await Promise.all([treeOf(store, base.main), readChain(clone.reader, base, example.id)]);
  const paths = [path, resultPath(path), claimPath(path)];
  const entries = await Promise.all(paths.map((file) => entryAt(store, tree, file)));
  const files = paths.filter((_, at) => entries[at] !== null);
  const facts = { example, files, output: await judgeOutput(store, tree, example.output, chain) };
  const state = chainState(chain);
  const ended = isTerminal(state) || files.includes(resultPath(path));
  if (chain !== undefined && !ended) return { ...facts, verdict: 'held', reason: `${example.id} has been begun and has not ended (${state}): wait for it, or \`cambium task cancel ${example.id}\`` };
  const asShipped = ended || !files.includes(path) || (await isShipped(store, tree, path, example));
  return { ...facts, verdict: asShipped ? 'remove' : 'leave', reason: asShipped ? '' : 'it was edited here and has not been done' };
}

async function isShipped(store: Store, tree: Oid, path: string, { shipped }: Example): Promise<boolean> {
  const file = await fileAt(store, tree, path);
  return file !== null && shipped.includes(createHash('sha256').update(file.bytes).digest('hex'));
}

async function judgeOutput(store: Store, tree: Oid, path: string, chain: Chain | undefined): Promise<Judged['output']> {
  const now = await entryAt(store, tree, path);
  if (now === null) return 'absent';
  const landed = chain?.record.result;
  if (landed === undefined) return { reason: 'no landing of the example is known that made it' };
  const made = await entryAt(store, await treeOf(store, landed), path);
  return made?.oid === now.oid ? 'as-made' : { reason: 'it has been changed since the example made it' };
}

/** An example that a task still to be done builds on stays, and so does what that example builds on itself. */
function settle(fleet: Fleet, judged: readonly Judged[]): Pick<Cleaned, 'removed' | 'left'> {
  const leaving = new Set(judged.filter(({ verdict }) => verdict === 'remove').map(({ example }) => example.id));
  const reasons = new Map(judged.filter(({ verdict }) => verdict === 'leave').map(({ example, reason }) => [example.id, reason]));
  for (let before = -1; before !== leaving.size; ) {
    before = leaving.size;
    for (const { example } of judged) {
      const needs = [...fleet.tasks.values()].filter((task) => !leaving.has(task.id) && !fleet.results.has(task.id) && (task.dependsOn.includes(example.id) || task.contextFiles.includes(example.output)));
      if (needs.length === 0 || !leaving.delete(example.id)) continue;
      reasons.set(example.id, `${needs.map(({ id }) => id).join(', ')} still needs it`);
    }
  }
  const gone = judged.filter(({ example }) => leaving.has(example.id));
  return {
    removed: gone.flatMap(({ files, output, example }) => (output === 'as-made' ? [...files, example.output] : files)),
    left: [
      ...judged.filter(({ example, files }) => reasons.has(example.id) && files.length > 0).map(({ example }) => ({ path: taskPath(example.id), reason: reasons.get(example.id) as string })),
      ...gone.flatMap(({ example, output }) => (typeof output === 'string' ? [] : [{ path: example.output, reason: output.reason }])),
    ],
  };
}
