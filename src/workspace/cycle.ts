/** Passes of the loop without a daemon: carried out until nothing moves, or only planned. */
import { join } from 'node:path';
import { lookAtCheckout } from '../act/checkout.ts';
import { claimsToProject } from '../act/projectClaims.ts';
import { hasUnfinishedPass } from '../adapters/checkout/unfinished.ts';
import { acquireDaemonLock } from '../adapters/system/daemonLock.ts';
import { chooseProviderFor } from '../act/run/choose.ts';
import { lookAtLimits } from '../cycle/limits.ts';
import type { Loop } from '../cycle/loop.ts';
import { observe, situationOf, snapshot } from '../cycle/observe.ts';
import { pass } from '../cycle/pass.ts';
import { decideClaims } from '../decide/claims.ts';
import type { PlanFacts } from '../decide/facts.ts';
import { decidePlan } from '../decide/plan.ts';
import type { Plan } from '../decide/plan.ts';
import { deletedTasks } from '../decide/recovery.ts';
import { limitNotes } from '../orient/limitNotes.ts';
import { CambiumError } from '../errors.ts';
import type { TaskId } from '../model/ids.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Local } from '../ports/local.ts';
import type { Clone } from './clone.ts';
import { nodeName, nodeOf } from './compose.ts';
import { openLives } from './lives.ts';
import { openLoop } from './loop.ts';
import { daemonRuns } from './session.ts';

export interface CycleOptions {
  readonly node?: string | undefined;
  /** The agents to act for, instead of those that cambium.yaml gives to this node. */
  readonly agents?: readonly string[] | undefined;
}

export interface CycleReport {
  /** What was said for the log, in order. */
  readonly events: readonly Readonly<Record<string, unknown>>[];
  /** Tasks whose agents are still at work; the next cycle or daemon adopts them. */
  readonly running: readonly TaskId[];
  /** False: there was nothing to do. */
  readonly acted: boolean;
}

const PASSES_MAX = 50;

/** Throws `daemon-running`, `node-taken`, `hub-away`, `hub-rewritten`. */
export async function runCycle(clone: Clone, options: CycleOptions): Promise<CycleReport> {
  const lock = await acquireDaemonLock(join(clone.stateDir, 'daemon'));
  if ('heldBy' in lock) throw new CambiumError('daemon-running', 'A daemon serves this clone: it cycles by itself.', { hint: 'See `cambium status`; `cambium cycle --dry-run` shows what it would do.' });
  const events: Record<string, unknown>[] = [];
  try {
    const { process: self, machine } = await clone.supervisor.self();
    const lives = await openLives(clone.local, machine, self, clone.clock.ulid());
    const node = await nodeOf(clone, nodeName(clone.place, options.node), lives.incarnation);
    const loop = await openLoop({ clone, node, lives, agents: options.agents ?? null, say: (event, fields) => void events.push({ event, ...fields }) });
    await loop.checkout.recover();
    let passes = 0;
    for (let again = true; again && passes < PASSES_MAX; passes++) {
      const { progress } = await pass(loop, { fullScan: passes === 0 });
      // What was applied by half is mended at the second look (P5.3), and a cycle remembers nothing of the one before.
      again = progress || (passes === 0 && halves(loop) > 0);
    }
    return { events, running: [...loop.state.runs.keys()], acted: events.length > 0 || passes > 1 };
  } finally {
    await lock.release();
  }
}

function halves({ state }: Loop): number {
  return state.unlandedBefore.size + state.openEndsBefore.size + state.deletedBefore.size;
}

export interface PlannedCycle extends Plan {
  readonly node: string;
  readonly agents: readonly string[];
  /** True: a daemon serves this clone, and does this by itself. */
  readonly daemon: boolean;
  /** Why the checkout is left alone, and what is held back of it. */
  readonly notes: readonly string[];
}

/**
 * What the next cycle would do, and why; nothing is pushed, claimed, started or written but what a look at the hub
 * brings (objects and the mirror refs in the git directory). Throws `node-taken`, `hub-away`, `hub-rewritten`.
 */
export async function planCycle(clone: Clone, options: CycleOptions): Promise<PlannedCycle> {
  const local = readOnly(clone.local);
  const { process: self, machine } = await clone.supervisor.self();
  const lives = await openLives(local, machine, self, clone.clock.ulid());
  const named = await nodeOf(clone, nodeName(clone.place, options.node), lives.incarnation);
  // Moves of local refs (the last-synced tree) are agreed to and not made.
  const node = { ...named, local, store: { ...named.store, updateRefs: async () => true } };
  const loop = await openLoop({ clone: { ...clone, local }, node, lives, agents: options.agents ?? null, say: () => undefined, log: { append: () => undefined, read: async function* () {} } });
  const fleet = await lookTwice(loop);
  await lookAtLimits(loop, fleet);
  const checkout = await lookAtEdits(clone, loop, fleet);
  const plan = decidePlan(snapshot(loop, fleet), situationOf(loop, fleet), { ...(await factsOf(loop, fleet)), edits: checkout.edits });
  return { ...plan, node: node.identity.node, agents: loop.agents().map(({ id }) => id), daemon: await daemonRuns(clone), notes: [...limitNotes(loop.shop.limits(), clone.clock.now().toISOString()), ...checkout.notes] };
}

function readOnly(local: Local): Local {
  return { ...local, write: async () => undefined, remove: async () => undefined };
}

/** What was applied by half shows as such only when two successive fetches see it (P5.3). */
async function lookTwice(loop: Loop): Promise<Fleet> {
  const first = await observe(loop);
  const { state } = loop;
  state.unlandedBefore = first.unlanded;
  state.openEndsBefore = situationOf(loop, first).openEnds;
  state.deletedBefore = deletedTasks(first);
  return halves(loop) === 0 ? first : observe(loop);
}

async function lookAtEdits(clone: Clone, loop: Loop, fleet: Fleet): Promise<{ readonly edits: readonly string[]; readonly notes: readonly string[] }> {
  if (hasUnfinishedPass(clone)) return { edits: [], notes: ['a pass over your checkout was cut short: the next cycle finishes it first'] };
  const look = (full: boolean): ReturnType<typeof lookAtCheckout> => lookAtCheckout(loop.shop.node, loop.checkout, fleet.main.commit, { full, consent: false });
  await look(true);
  // A file counts as saved when two looks apart see the same.
  await clone.clock.sleep(fleet.config.timings.settleMs);
  const { edits, cancels, held, unsettled, blocked, notes, head } = await look(true);
  const ahead = head !== null && !(await clone.store.isAncestor(head, fleet.main.commit)) ? ['your commits that are not on the hub yet'] : [];
  return {
    edits: [...ahead, ...edits.map(({ path, oid }) => (oid === null ? `${path} (deleted)` : path)), ...cancels.map((path) => `${path} (deleted: the task is cancelled)`)],
    notes: [
      ...(blocked === null ? [] : [`your checkout is left alone: ${blocked}`]), ...notes,
      ...held.map(({ path, line, reason }) => `${path}:${line} is held back: ${reason}`), ...unsettled.map((path) => `${path} is still changing`),
    ],
  };
}

async function factsOf(loop: Loop, fleet: Fleet): Promise<Omit<PlanFacts, 'edits'>> {
  const { shop, state } = loop;
  const { all } = claimsToProject(fleet, shop.node.identity, state.differing, shop.node.clock.bootMs());
  const ended = await Promise.all([...state.runs.values()].map(async ({ task, phase, spawn, verifySpawn }) => {
    const id = phase === 'verifying' ? verifySpawn : phase === 'working' ? spawn : '';
    return id !== '' && ['ended', 'lost'].includes((await shop.node.supervisor.status(shop.scratch(id))).state) ? [task] : [];
  }));
  return { unavailable: await probe(loop, fleet), heldOff: new Map(), projections: all, ended: new Set(ended.flat()) };
}

/** Only providers that would be used are asked, as in a pass; an agent's is away when none of its fallback can stand in. */
async function probe(loop: Loop, fleet: Fleet): Promise<ReadonlyMap<string, string>> {
  const away = new Map<string, string>();
  for (const { agent, task } of decideClaims(snapshot(loop, fleet), situationOf(loop, fleet))) {
    const chosen = await chooseProviderFor(loop.shop, { agent: agent.id, task: task.task }).catch((error: unknown) => {
      if (error instanceof CambiumError && error.code === 'bad-config') return { unavailable: `${error.message} ${error.hint ?? ''}` };
      throw error;
    });
    if ('unavailable' in chosen) away.set(agent.provider, chosen.unavailable);
  }
  return away;
}
