/**
 * Files that tell and never decide: `tasks/<id>.claim.json`, `agents/roster.json`, spawn records. Any node can
 * recompute the first two from facts, so two nodes that do never conflict (DESIGN 3).
 */
import { chainState } from '../model/claim.ts';
import type { Chain, ClaimRecord } from '../model/claim.ts';
import type { Oid } from '../model/ids.ts';
import { ROSTER_PATH, claimPath, resultPath } from '../model/layout.ts';
import type { Run } from '../model/run.ts';
import { spawnRecordPath } from '../model/spawn.ts';
import type { Cause, SpawnRecord, SpawnSubject } from '../model/spawn.ts';
import { renderMessage } from '../model/message.ts';
import { before } from '../observe/chains.ts';
import type { ChainReader } from '../observe/chains.ts';
import { parseClaimRecord, renderClaimRecord } from '../observe/claimRecord.ts';
import { entryAt, fileAt, treeOf } from '../observe/tree.ts';
import { commitOn } from './commit.ts';
import { agentSignature, nodeSignature } from './node.ts';
import type { Node } from './node.ts';

export interface ProjectedClaim {
  /** Path of the instruction file. */
  readonly path: string;
  readonly chain: Chain | undefined;
}

/** Whether the tree shows a projection of this chain: while it is held or in review. */
export function isShown(chain: Chain | undefined): boolean {
  return ['held', 'review', 'approved'].includes(chainState(chain));
}

/** The bytes a projection shows are those of the newest `claim` or `review`: a renewal changes nothing in the tree. */
async function shownRecord(node: Node, reader: ChainReader, chain: Chain): Promise<ClaimRecord> {
  let at: Chain | undefined = chain;
  while (at !== undefined && (at.record.kind === 'renew' || at.record.kind === 'approve')) at = await before(node.store, reader, at);
  return (at ?? chain).record;
}

/**
 * Commits that bring the claim projections on `base` up to what the chains say, one an author; returns the new main.
 * An older epoch never replaces a newer, none is written beside a result, and a task whose instruction file is gone
 * shows none (P5.4).
 */
export async function commitClaims(node: Node, reader: ChainReader, base: Oid, claims: readonly ProjectedClaim[]): Promise<Oid> {
  let main = base;
  for (const { path, chain } of claims) {
    const tree = await treeOf(node.store, main);
    const [file, instruction, result] = await Promise.all([fileAt(node.store, tree, claimPath(path)), entryAt(node.store, tree, path), entryAt(node.store, tree, resultPath(path))]);
    const shown = chain !== undefined && isShown(chain) && instruction !== null && result === null ? await shownRecord(node, reader, chain) : null;
    const wanted = shown === null ? null : renderClaimRecord(shown);
    const unchanged = wanted === null ? file === null : file?.oid === node.store.hashBlob(Buffer.from(wanted));
    if (unchanged || (result === null && epochOf(file?.bytes) > (chain?.record.epoch ?? 0))) continue;
    main = await commitOn(node, main, new Map([[claimPath(path), wanted]]), {
      author: shown?.agent === undefined || shown.agent === null ? nodeSignature(node) : agentSignature(node, shown.agent),
      message: claimMessage(shown ?? chain?.record, wanted !== null),
    });
  }
  return main;
}

function epochOf(bytes: Uint8Array | undefined): number {
  try {
    return bytes === undefined ? 0 : parseClaimRecord(bytes).epoch;
  } catch {
    // A projection that somebody broke is written anew.
    return 0;
  }
}

function claimMessage(record: ClaimRecord | undefined, held: boolean): string {
  if (record === undefined) return renderMessage({ subject: 'tasks: drop a projection of a claim that is gone' });
  const { task, kind, agent, node, epoch, attempt, op, reason } = record;
  const subject = held ? `${task}: ${kind} by ${agent ?? '?'} on ${node ?? '?'}` : `${task}: ${kind === 'release' ? 'requeue' : kind}`;
  return renderMessage({ subject, body: reason ?? '', trailers: { Kind: kind, Task: task, Agent: agent, Node: node, Epoch: epoch, Attempt: attempt, 'Op-Id': op } });
}

export interface RosterFact {
  readonly id: string;
  readonly role: string;
  readonly provider: string;
  readonly capabilities: readonly string[];
}

/** The roster with one agent's facts brought up to date; an unreadable roster starts anew, being a projection. */
export async function rosterWith(node: Node, tree: Oid, fact: RosterFact): Promise<string> {
  const file = await fileAt(node.store, tree, ROSTER_PATH);
  const agents = rosterAgents(file?.bytes);
  const at = node.clock.now().toISOString();
  const before = agents.find(({ id }) => id === fact.id);
  const entry = { joined: at, ...before, ...fact, node: node.identity.node, status: 'active', last_active: at };
  const others = agents.filter(({ id }) => id !== fact.id);
  const sorted = [...others, entry].toSorted((a, b) => (String(a.id) < String(b.id) ? -1 : 1));
  return `${JSON.stringify({ schema: 'cambium.roster/1', agents: sorted }, null, 2)}\n`;
}

export function rosterAgents(bytes: Uint8Array | undefined): readonly Record<string, unknown>[] {
  if (bytes === undefined) return [];
  try {
    const parsed = JSON.parse(Buffer.from(bytes).toString('utf8')) as { agents?: unknown };
    return Array.isArray(parsed.agents) ? parsed.agents.filter((agent): agent is Record<string, unknown> => typeof agent === 'object' && agent !== null) : [];
  } catch {
    return [];
  }
}

/** The files of a run's spawns: `agents/spawns/<yyyy-mm>/<dd>/<id>.json`, written once, at the end (docs/formats.md). */
export function spawnFiles(node: Node, run: Run): Map<string, string> {
  return new Map(run.spawns.map((spawn) => [spawnRecordPath(spawn), renderSpawn(node, { ...run, channel: null, messages: [], ...(run.cause ?? ROOT) }, { provider: run.provider, providerVersion: run.providerVersion, model: run.model, ...spawn })]));
}

/** Caused by the queue or a person. */
const ROOT: Cause = { parent: null, depth: 0 };

/** The bytes of one record (docs/formats.md). */
export function renderSpawn({ identity }: Pick<Node, 'identity'>, about: SpawnSubject & Cause, spawn: SpawnRecord): string {
  const record = {
    schema: 'cambium.spawn/1', id: spawn.id, parent: about.parent, depth: about.depth, agent: about.agent, node: identity.node,
    purpose: spawn.purpose, task: about.task, epoch: about.epoch, attempt: about.attempt, channel: about.channel, messages: about.messages,
    provider: spawn.provider, provider_version: spawn.providerVersion, model: spawn.model, session: spawn.session,
    process: spawn.process,
    start: spawn.start, end: spawn.end, outcome: spawn.outcome, failure: spawn.failure, usage: spawn.usage, cost_usd: spawn.costUsd,
  };
  return `${JSON.stringify(record, null, 2)}\n`;
}
