/** Going on where an agent stopped to ask: with the work that it left, and in its session where the CLI can. */
import type { ClaimRecord } from '../../model/claim.ts';
import type { Oid } from '../../model/ids.ts';
import { wipRef } from '../../model/layout.ts';
import { renderMessage } from '../../model/message.ts';
import { ASKED } from '../../model/run.ts';
import type { Asked, Resume, Run } from '../../model/run.ts';
import { before } from '../../observe/chains.ts';
import { treeOf } from '../../observe/tree.ts';
import { agentSignature, nodeSignature } from '../node.ts';
import type { ClaimWon } from '../claim.ts';
import { sessionOf } from '../answer/session.ts';
import type { Chosen } from './choose.ts';
import type { Workshop } from './workshop.ts';

/** A session as the claim chain keeps it while a person is asked: it stands in the home of that agent on that node. */
export interface KeptSession extends Resume {
  readonly provider: string;
  readonly node: string;
}

export function keptSession({ node }: Workshop, run: Run): KeptSession | null {
  const last = run.spawns.findLast(({ purpose }) => purpose === 'task');
  if (last === undefined || last.session === null) return null;
  const { session, usage, costUsd } = last;
  // Totals over the whole session: what the CLI counted before this run, and since.
  const totals = run.resume?.session === session ? run.resume : null;
  return {
    session, provider: last.provider ?? run.provider, node: node.identity.node,
    usage: usage === null ? (totals?.usage ?? null) : { input: usage.input + (totals?.usage?.input ?? 0), cached: usage.cached + (totals?.usage?.cached ?? 0), output: usage.output + (totals?.usage?.output ?? 0) },
    costUsd: costUsd === null ? (totals?.costUsd ?? null) : costUsd + (totals?.costUsd ?? 0),
  };
}

export interface Resumption {
  readonly resume: Resume | null;
  /** A commit on main's with the kept work in it, from which the worktree is made; null where there is none, or it does not fit. */
  readonly kept: Oid | null;
}

/** What the last hold of this task left for the next one, after a person has answered it. */
export async function resumptionOf(shop: Workshop, won: ClaimWon, provider: Chosen): Promise<Resumption> {
  const asked = (await shop.node.local.read(`${ASKED}${won.task}`)) as Asked | null | undefined;
  if (asked?.resume !== undefined && asked.resume !== null) return resumptionAsked(shop, won, asked.resume, provider);
  const answered = await before(shop.node.store, shop.reader, won.chain);
  if (answered === undefined || answered.record.kind !== 'release' || answered.record['answered'] !== true) return { resume: null, kept: null };
  return { resume: resumeOf(shop, answered.record, provider), kept: await keptWork(shop, answered.record) };
}

/** Somebody has asked to go on with a certain spawn: its session where it is this provider's, and the work of its epoch. */
async function resumptionAsked(shop: Workshop, { chain: { record } }: ClaimWon, spawn: string, provider: Chosen): Promise<Resumption> {
  const asked = await sessionOf(shop, spawn);
  const fits = asked.kind === 'here' && asked.provider === provider.name;
  return { resume: fits ? asked.resume : null, kept: await keptWork(shop, { ...record, epoch: asked.kind === 'here' ? asked.epoch : record.epoch - 1 }) };
}

function resumeOf(shop: Workshop, { session }: ClaimRecord, provider: Chosen): Resume | null {
  const kept = session as KeptSession | undefined | null;
  if (typeof kept !== 'object' || kept === null || typeof kept.session !== 'string') return null;
  const here = kept.node === shop.node.identity.node && kept.provider === provider.name && shop.providers.get(provider.name)?.resumes === 'anywhere';
  return here ? { session: kept.session, usage: kept.usage ?? null, costUsd: kept.costUsd ?? null } : null;
}

/** The work of that epoch merged with main as it is now. */
async function keptWork({ node, fleet }: Workshop, { task, epoch, agent }: ClaimRecord): Promise<Oid | null> {
  const ref = wipRef(task, epoch);
  const tip = node.mirror.known().refs.get(ref);
  if (tip === undefined) return null;
  const { store, hub } = node;
  if (!(await store.has(tip))) await hub.fetch(new Map([[ref, tip]]));
  const { commit: main, tree: mainTree } = fleet().main;
  const base = await store.mergeBase(tip, main);
  if (base === null) return null;
  const { tree, conflicts } = await store.mergeTrees(await treeOf(store, base), mainTree, await treeOf(store, tip));
  // What does not fit is for the agent to look at: the feedback names the ref.
  if (conflicts.length > 0 || tree === mainTree) return null;
  const message = renderMessage({ subject: `${task}: work kept while a person was asked`, trailers: { Kind: 'wip', Task: task, Agent: agent, Epoch: epoch } });
  return store.writeCommit({ tree, parents: [main], author: agentSignature(node, agent ?? node.identity.node), committer: nodeSignature(node), message });
}
