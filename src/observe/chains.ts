/** Claim chains and node refs read from their tips; a tip never changes, so each is read once. */
import { CambiumError } from '../errors.ts';
import type { Chain, ClaimRecord } from '../model/claim.ts';
import type { Oid } from '../model/ids.ts';
import type { NodeBreak, NodeHeartbeat } from '../model/node.ts';
import type { Store } from '../ports/store.ts';
import { parseClaimRecord } from './claimRecord.ts';
import { parseNodeRecord } from './nodeRecord.ts';

/** What a node ref says: its last heartbeat, and the breaks written on top of it, newest first (P4.3). */
export interface NodeView {
  readonly tip: Oid;
  readonly heartbeat: { readonly oid: Oid; readonly record: NodeHeartbeat } | null;
  readonly breaks: readonly NodeBreak[];
}

export interface ChainReader {
  chain(tip: Oid): Promise<Chain>;
  node(tip: Oid): Promise<NodeView>;
}

export function createChainReader(store: Store): ChainReader {
  const chains = new Map<Oid, Promise<Chain>>();
  const nodes = new Map<Oid, Promise<NodeView>>();
  return {
    chain: (tip) => remember(chains, tip, async () => ({ tip, record: await readRecord(store, tip) })),
    node: (tip) => remember(nodes, tip, () => readNode(store, tip)),
  };
}

const REMEMBERED_MAX = 20_000;

function remember<T>(known: Map<Oid, Promise<T>>, oid: Oid, read: () => Promise<T>): Promise<T> {
  const before = known.get(oid);
  if (before !== undefined) return before;
  if (known.size >= REMEMBERED_MAX) known.delete(known.keys().next().value as Oid);
  const reading = read();
  known.set(oid, reading);
  reading.catch(() => known.delete(oid));
  return reading;
}

async function readRecord(store: Store, tip: Oid): Promise<ClaimRecord> {
  return parseClaimRecord(await onlyFile(store, tip, 'claim.json'));
}

async function readNode(store: Store, tip: Oid): Promise<NodeView> {
  const breaks: NodeBreak[] = [];
  for (let oid: Oid | undefined = tip; oid !== undefined; ) {
    const record = parseNodeRecord(await onlyFile(store, oid, 'node.json'));
    if (record.kind === 'heartbeat') return { tip, heartbeat: { oid, record }, breaks };
    breaks.push(record);
    oid = (await store.readCommit(oid)).parents[0];
  }
  return { tip, heartbeat: null, breaks };
}

async function onlyFile(store: Store, commit: Oid, name: string): Promise<Uint8Array> {
  const { tree } = await store.readCommit(commit);
  const entry = (await store.readTree(tree)).find((file) => file.name === name);
  if (entry !== undefined) return store.readBlob(entry.oid);
  throw new CambiumError('bad-file', `Commit ${commit.slice(0, 10)} holds no ${name}: somebody else wrote to a ref of the fleet.`, {
    hint: 'Look at it with `git show` and delete the ref if it is not of the fleet.',
  });
}

/** The transition before this one, or undefined at the chain's beginning: there the only parent is the main commit it moved. */
export async function before(store: Store, reader: ChainReader, chain: Chain): Promise<Chain | undefined> {
  const [parent] = (await store.readCommit(chain.tip)).parents;
  return parent === undefined || parent === chain.record.result ? undefined : reader.chain(parent);
}

/** The chain's transitions, newest first, back to its beginning; `at` in seconds since 1970. */
export async function chainHistory(store: Store, reader: ChainReader, tip: Oid): Promise<readonly (Chain & { readonly at: number })[]> {
  const history: (Chain & { readonly at: number })[] = [];
  for (let chain: Chain | undefined = await reader.chain(tip); chain !== undefined; chain = await before(store, reader, chain)) {
    history.push({ ...chain, at: (await store.readCommit(chain.tip)).committer.seconds });
  }
  return history;
}
