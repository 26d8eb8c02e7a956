/** Starting an agent by hand: for one task, or with a word said to it; and asking the session of one that has ended. */
import { join } from 'node:path';
import { sessionOf } from '../act/answer/session.ts';
import { createProviders } from '../adapters/providers/registry.ts';
import { acquireDaemonLock } from '../adapters/system/daemonLock.ts';
import { createDaemon } from '../cycle/daemon.ts';
import type { Focus } from '../cycle/state.ts';
import type { Loop } from '../cycle/loop.ts';
import { CambiumError } from '../errors.ts';
import type { Answer } from '../model/answer.ts';
import { ASKED } from '../model/run.ts';
import type { Asked, Run } from '../model/run.ts';
import { agentSpeaking, mentionsIn } from '../model/talk.ts';
import type { Message } from '../model/talk.ts';
import { agentNamed } from '../orient/agents.ts';
import { misfit } from '../orient/fit.ts';
import { orient } from '../orient/situation.ts';
import { answersTo } from './channels.ts';
import type { Clone } from './clone.ts';
import { nodeName, nodeOf } from './compose.ts';
import { openLives } from './lives.ts';
import { openLoop } from './loop.ts';
import { writeMessage } from './messages.ts';
import { inSession, nudgeDaemon, unknownTask } from './session.ts';
import type { Session } from './session.ts';
import { findSpawn } from './spawns.ts';

/** What a spawn is asked for: a task that is ready, or something said in the agent's inbox or a channel. */
export type Order =
  | { readonly kind: 'task'; readonly task: string }
  | { readonly kind: 'message'; readonly id: string; readonly channel: string | null };

/** Throws `usage`, `refused`, `unknown-task`. */
export function requireAgent({ fleet }: Session, agent: string): void {
  const known = Object.keys(fleet.config.agents);
  if (!known.includes(agent)) throw new CambiumError('usage', `There is no agent ${agent} in cambium.yaml.`, { hint: known.length === 0 ? 'Add one under `agents:`.' : `There is ${known.join(', ')}.` });
}

/** The task is ready and fits; a daemon of this clone is told to give it to this agent next. */
export async function orderTask(session: Session, agent: string, id: string, resume: string | null = null): Promise<Order> {
  const { clone, fleet } = session;
  requireAgent(session, agent);
  const task = fleet.tasks.get(id);
  if (task === undefined) throw unknownTask(session, id);
  const situation = orient(fleet, clone.clock.now().toISOString()).tasks.get(id);
  if (situation?.state !== 'ready') throw new CambiumError('refused', `${id} is ${situation?.state ?? 'not ready'}${situation?.reasons[0] === undefined ? '' : `: ${situation.reasons[0]}`}.`, { hint: `See \`cambium explain ${id}\`.` });
  const wrong = misfit(agentNamed(fleet.config, agent), task, fleet.config.defaults.provider);
  if (wrong !== null) throw new CambiumError('refused', `${agent} cannot take ${id}: ${wrong}.`, { hint: `Change it with \`cambium task edit ${id} --assign ${agent}\`, or ask another agent.` });
  await clone.local.write(`${ASKED}${id}`, { agent, resume } satisfies Asked);
  return { kind: 'task', task: id };
}

/** Said in the agent's inbox, or with its name in a channel: durable before anything is started. */
export async function orderMessage(session: Session, agent: string, text: string, { channel, session: spawn }: { readonly channel?: string | undefined; readonly session?: string | undefined } = {}): Promise<Order> {
  requireAgent(session, agent);
  if (agentNamed(session.fleet.config, agent).provider === 'runbook') throw new CambiumError('refused', `${agent} runs runbooks only, and answers nobody.`, { hint: `Give it another provider in cambium.yaml: \`agents: { ${agent}: { provider: claude } }\`.` });
  const said = channel === undefined ? text : mentionsIn(text).includes(agent) ? text : `@${agent} ${text}`;
  const { id } = await writeMessage(session, undefined, said, { ...(channel === undefined ? { to: agent } : { channel }), ...(spawn === undefined ? {} : { session: spawn }) });
  return { kind: 'message', id, channel: channel ?? null };
}

/** A question to the session of an ended spawn of this node. Throws `unknown-spawn`, `refused`. */
export async function orderTalk(session: Session, ref: string, text: string): Promise<{ readonly order: Order; readonly agent: string }> {
  const { id, agent } = await endedSpawn(session, ref);
  return { order: await orderMessage(session, agent, text, { session: id }), agent };
}

/** The work of an ended spawn goes on in its session: its task again, or what it was asked. Throws `unknown-spawn`, `refused`. */
export async function orderResume(session: Session, ref: string, text: string): Promise<{ readonly order: Order; readonly agent: string }> {
  const { id, agent, task } = await endedSpawn(session, ref);
  if (task === null) return { order: await orderMessage(session, agent, text, { session: id }), agent };
  const state = orient(session.fleet, session.clone.clock.now().toISOString()).tasks.get(task)?.state;
  if (state === 'input') throw new CambiumError('refused', `${task} asks something: answering it goes on in this session.`, { hint: `cambium answer ${task} "…"` });
  if (state === 'failed' || state === 'cancelled') throw new CambiumError('refused', `${task} is ${state}.`, { hint: `Make it ready first: \`cambium task retry ${task}\`.` });
  return { order: await orderTask(session, agent, task, id), agent };
}

async function endedSpawn(session: Session, ref: string): Promise<{ readonly id: string; readonly agent: string; readonly task: string | null }> {
  const { clone, node, fleet } = session;
  const { id, agent, state, task } = await findSpawn(session, ref);
  if (agent === null || state === 'running' || state === 'starting') throw new CambiumError('refused', `The spawn ${id} is still at work.`, { hint: `Say it in its channel, or wait: \`cambium spawn logs ${id} -f\`.` });
  const asked = await sessionOf({ node: { ...node, identity: { ...node.identity, node: nodeName(clone.place, undefined) } }, fleet: () => fleet, providers: createProviders(fleet.config.providers) }, id);
  if (asked.kind === 'elsewhere') throw new CambiumError('refused', `The session of ${id} stands on ${asked.node}.`, { hint: `Do it there: \`cambium spawn talk ${id} "…"\`.` });
  if (asked.kind !== 'here') throw new CambiumError('refused', `${id} cannot be gone on with: ${asked.kind === 'gone' ? asked.reason : 'it has no session'}.`, { hint: `A fresh session answers: \`cambium spawn run ${agent} --prompt "…"\`.` });
  return { id, agent, task };
}

/** The spawn that carries it out in this clone; null before one was started. */
export async function beginningOf({ local }: Pick<Clone, 'local'>, order: Order): Promise<string | null> {
  const read = async <T>(prefix: string): Promise<readonly T[]> => (await Promise.all((await local.list(prefix)).map((key) => local.read(key)))).filter((value) => value !== undefined && value !== null) as unknown as readonly T[];
  const found = order.kind === 'task' ? (await read<Run>('runs/')).find(({ task }) => task === order.task) : (await read<Answer>('answers/')).find(({ messages }) => messages.includes(order.id));
  // A run that is still being prepared has none.
  return found === undefined || found.spawn === '' ? null : found.spawn;
}

export interface OrderEnd {
  /** What was answered, for a message. */
  readonly answers: readonly Message[];
  readonly over: boolean;
}

/** Whether it is over, as this clone sees the hub. */
export async function endOfOrder(session: Session, agent: string, order: Order): Promise<OrderEnd> {
  if (order.kind === 'task') {
    const situation = orient(session.fleet, session.clone.clock.now().toISOString()).tasks.get(order.task);
    return { answers: [], over: situation === undefined || !['ready', 'held', 'waiting'].includes(situation.state) };
  }
  const { answers, waiting } = await answersTo(session, order.id, order.channel === null ? { inbox: agent } : { channel: order.channel });
  // Whom else the words call is not this order's to wait for: nobody here may run them.
  return { answers: answers.filter((message) => agentSpeaking(message) === agent), over: !waiting.includes(agent) };
}

/**
 * Where no daemon serves this clone: a loop of our own that does nothing but this order, until it is over. False when it was
 * interrupted: the agent goes on under its supervisor for as long as its lease lasts, and the next daemon adopts it.
 */
export async function serveOrder(clone: Clone, focus: Focus, order: Order, say: (event: string, fields?: Readonly<Record<string, unknown>>) => void, signal: AbortSignal): Promise<boolean> {
  const lock = await acquireDaemonLock(join(clone.stateDir, 'daemon'));
  if ('heldBy' in lock) {
    await nudgeDaemon(clone);
    return false;
  }
  try {
    const { process: self, machine } = await clone.supervisor.self();
    const lives = await openLives(clone.local, machine, self, clone.clock.ulid());
    const node = await nodeOf(clone, nodeName(clone.place, undefined), lives.incarnation);
    const loop = await openLoop({ clone, node, lives, agents: [focus.agent], say, focus });
    return await untilOver(clone, loop, focus.agent, order, signal);
  } finally {
    await clone.local.remove('daemon');
    await lock.release();
  }
}

async function untilOver(clone: Clone, loop: Loop, agent: string, order: Order, signal: AbortSignal): Promise<boolean> {
  let over = false;
  const daemon = createDaemon(loop, { start: async () => undefined, close: async () => undefined }, {
    idleMs: null, onExit: 'keep',
    onPass: async () => {
      const atWork = loop.state.answers.size > 0 || (order.kind === 'task' && loop.state.runs.has(order.task));
      if (atWork || over) return;
      over = await inSession(clone, { needsHub: false, agent: undefined }, async (session) => (await endOfOrder(session, agent, order)).over);
      if (over) daemon.stop();
    },
  });
  const interrupt = (): void => daemon.stop();
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    await daemon.run();
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
  return over;
}
