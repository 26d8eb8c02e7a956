/** Workers that are sessions of their own, beside those that a daemon runs: joining, staying alive, and knowing when to stop. */
import { addFilesMember } from '../act/addFile.ts';
import { renewKey, renewMember } from '../act/claim.ts';
import { agentSignature } from '../act/node.ts';
import { rosterAgents, rosterWith } from '../act/projections.ts';
import { publish } from '../act/publish.ts';
import type { Published } from '../act/publish.ts';
import { CambiumError } from '../errors.ts';
import { chainState } from '../model/claim.ts';
import type { Chain } from '../model/claim.ts';
import { isAgentId, proposeId } from '../model/ids.ts';
import type { Oid } from '../model/ids.ts';
import { ROSTER_PATH } from '../model/layout.ts';
import { renderMessage } from '../model/message.ts';
import { fileAt, treeOf } from '../observe/tree.ts';
import { misfit } from '../orient/fit.ts';
import { agentNamed } from '../orient/agents.ts';
import { readSession } from './claimSessions.ts';
import { published, unanswered } from './published.ts';
import { situationNow } from './queue.ts';
import type { Session } from './session.ts';
import { syncAfterward } from './sync.ts';

export interface WorkerOptions {
  readonly capabilities?: readonly string[];
  readonly role?: string;
  readonly provider?: string;
}

/** Joins the roster; doing it twice changes nothing. */
export async function registerWorker(session: Session, id: string, { capabilities = [], role, provider = 'manual' }: WorkerOptions = {}): Promise<{ readonly worker: string; readonly commit: Oid | null }> {
  const { node, clone, fleet } = session;
  if (!isAgentId(id)) throw new CambiumError('usage', `${id} is no good agent id.`, { hint: `Use lower-case letters, digits, - and _; some words are reserved. ${proposeId(id)}` });
  const fact = { id, role: role ?? agentNamed(fleet.config, id).role, provider, capabilities };
  const member = addFilesMember(node, {
    key: `join:${id}`, by: agentSignature(node, id), message: renderMessage({ subject: `${id}: join`, trailers: { Kind: 'join', Agent: id, Node: node.identity.node } }),
    async files(main) {
      const tree = await treeOf(clone.store, main);
      const known = rosterAgents((await fileAt(clone.store, tree, ROSTER_PATH))?.bytes).find((agent) => agent['id'] === id);
      const same = known !== undefined && known['role'] === fact.role && known['provider'] === provider && known['node'] === node.identity.node && JSON.stringify(known['capabilities']) === JSON.stringify(capabilities);
      return same ? null : new Map([[ROSTER_PATH, await rosterWith(node, tree, fact)]]);
    },
  });
  const commit = published(id, (await publish(node, [member], { trustKnown: true })).get(`join:${id}`) as Published<Oid | null>);
  await markActive(session, id);
  await syncAfterward(session);
  return { worker: id, commit };
}

export interface Heartbeat {
  readonly worker: string;
  readonly renewed: readonly { readonly task: string; readonly epoch: number; readonly ttl_s: number }[];
  /** Claims that are no longer this worker's: stop working on them. */
  readonly lost: readonly { readonly task: string; readonly epoch: number }[];
}

/** Renews the claims that the worker won in this clone. A worker without claims costs nothing. Throws `outcome-unknown`, `hub-policy`: then nothing is known to be renewed. */
export async function heartbeat(session: Session, worker: string): Promise<Heartbeat> {
  const { clone, node, fleet } = session;
  const sessions = (await Promise.all((await clone.local.list('sessions/')).map((key) => readSession(clone.local, ...taskAndEpoch(key))))).filter((saved) => saved !== null && saved.agent === worker);
  const mine = sessions.flatMap((saved) => (saved === null ? [] : [{ task: saved.task, epoch: saved.epoch }]));
  const isMine = ({ task, epoch }: { task: string; epoch: number }): boolean => chainState(fleet.chains.get(task)) === 'held' && fleet.chains.get(task)?.record.epoch === epoch;
  const ends = await publish(node, mine.filter(isMine).map(({ task, epoch }) => renewMember(node, clone.reader, task, epoch, worker)), { trustKnown: true });
  const open = [...ends.values()].find(({ state }) => state === 'unknown' || state === 'refused-by-policy');
  if (open !== undefined) throw unanswered(open);
  const renewed = [...ends.values()].flatMap((end: Published<Chain>) => (end.state === 'published' ? [end.value.record] : []));
  return {
    worker, renewed: renewed.map(({ task, epoch, ttl_s }) => ({ task, epoch, ttl_s })),
    lost: mine.filter((claim) => !isMine(claim) || ends.get(renewKey(claim.task))?.state === 'dropped'),
  };
}

function taskAndEpoch(key: string): [string, number] {
  const name = key.replace(/^sessions\//, '');
  const at = name.lastIndexOf('.');
  return [name.slice(0, at), Number(name.slice(at + 1))];
}

/** When a worker of this clone last did something, on the boot-time clock. */
interface Activity {
  readonly boot: string;
  readonly bootMs: number;
}

const activityKey = (worker: string): string => `workers/${worker}`;

/** Joining, winning a task and ending one start the idle time anew. */
export async function markActive({ clone, node }: Session, worker: string): Promise<void> {
  await clone.local.write(activityKey(worker), { boot: node.identity.bootId, bootMs: clone.clock.bootMs() } satisfies Activity);
}

export interface Continuation {
  readonly continue: boolean;
  readonly reason: string;
  readonly idle_minutes: number;
}

/**
 * Whether a worker's session has a reason to go on: a task in hand, one that it could claim, or less idle time than it is
 * allowed. Never wait in a session for work: that costs tokens; a daemon waits for nothing.
 */
export async function shouldWorkerContinue(session: Session, worker: string, maxIdleMinutes = session.fleet.config.timings.idleMs / 60_000): Promise<Continuation> {
  const { fleet, clone, node } = session;
  const known = (await clone.local.read(activityKey(worker))) as Activity | undefined;
  const idleMs = known?.boot === node.identity.bootId ? clone.clock.bootMs() - known.bootMs : 0;
  // The first question starts the clock.
  if (known?.boot !== node.identity.bootId) await markActive(session, worker);
  const idle_minutes = Math.round(idleMs / 600) / 100;
  const held = [...fleet.chains.values()].find((chain) => chainState(chain) === 'held' && chain.record.agent === worker);
  if (held !== undefined) return { continue: true, reason: `${worker} holds ${held.record.task}`, idle_minutes };
  const agent = agentNamed(fleet.config, worker);
  const ready = situationNow(session).ready.filter(({ task }) => misfit({ ...agent, provider: task.provider ?? agent.provider }, task, agent.provider) === null);
  if (ready.length > 0) return { continue: true, reason: `${ready.length} task${ready.length === 1 ? ' is' : 's are'} ready`, idle_minutes };
  if (idleMs < maxIdleMinutes * 60_000) return { continue: true, reason: `idle for ${idle_minutes} of ${maxIdleMinutes} minutes`, idle_minutes };
  return { continue: false, reason: `nothing is ready, and ${worker} has been idle for ${idle_minutes} minutes`, idle_minutes };
}

export interface WorkerStatus {
  readonly id: string;
  readonly role: string;
  readonly provider: string;
  readonly capabilities: readonly string[];
  readonly node: string | null;
  /** `silent`: neither its node, nor a claim or a result of its own, was heard for two leases. For people to know: nothing is decided by it. */
  readonly status: 'working' | 'idle' | 'silent';
  readonly tasks: readonly string[];
  readonly last_active: string | null;
}

/** Who takes part: the roster, and what the hub says of each. */
export async function activeWorkers({ clone, fleet }: Session): Promise<readonly WorkerStatus[]> {
  const roster = rosterAgents((await fileAt(clone.store, fleet.main.tree, ROSTER_PATH))?.bytes);
  const ids = [...new Set([...roster.map(({ id }) => String(id)), ...Object.keys(fleet.config.agents), ...[...fleet.chains.values()].filter((chain) => chainState(chain) === 'held').map(({ record }) => record.agent ?? '')])].filter((id) => id !== '').toSorted();
  const heard = await lastHeard(clone.store, fleet);
  const silentBefore = clone.clock.now().getTime() - 2 * fleet.config.timings.ttlMs;
  return Promise.all(ids.map(async (id): Promise<WorkerStatus> => {
    const entry = roster.find((agent) => agent['id'] === id);
    const agent = agentNamed(fleet.config, id);
    const held = [...fleet.chains.values()].filter((chain) => chainState(chain) === 'held' && chain.record.agent === id);
    const node = held[0]?.record.node ?? (typeof entry?.['node'] === 'string' ? entry['node'] : null);
    const signs = [node === null ? undefined : heard.get(node), Date.parse(text(entry?.['last_active']) ?? ''), ...(await Promise.all(held.map(({ tip }) => writtenMs(clone.store, tip))))];
    const lastMs = Math.max(...signs.filter((ms): ms is number => ms !== undefined && !Number.isNaN(ms)));
    // Nobody has been heard of an agent that is only named in cambium.yaml.
    const quiet = Number.isFinite(lastMs) && lastMs < silentBefore;
    return {
      id, role: text(entry?.['role']) ?? agent.role, provider: text(entry?.['provider']) ?? agent.provider, capabilities: Array.isArray(entry?.['capabilities']) ? entry['capabilities'].map(String) : agent.capabilities,
      node, status: quiet ? 'silent' : held.length > 0 ? 'working' : 'idle', tasks: held.map(({ record }) => record.task), last_active: text(entry?.['last_active']),
    };
  }));
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

async function lastHeard(store: Session['clone']['store'], fleet: Session['fleet']): Promise<ReadonlyMap<string, number>> {
  const beats = await Promise.all([...fleet.nodes].flatMap(([node, { heartbeat: beat }]) => (beat === null ? [] : [writtenMs(store, beat.oid).then((ms): [string, number] => [node, ms])])));
  return new Map(beats);
}

async function writtenMs(store: Session['clone']['store'], commit: Oid): Promise<number> {
  return (await store.readCommit(commit)).committer.seconds * 1000;
}
