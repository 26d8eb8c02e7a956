/** `cambium spawn run|talk`: an agent is started by hand, and its answer or result waited for. */
import { join } from 'node:path';
import { createSystemClock } from '../adapters/system/clock.ts';
import { launchDetached } from '../adapters/system/detached.ts';
import { readInput } from '../adapters/system/files.ts';
import { CambiumError } from '../errors.ts';
import { beginningOf, endOfOrder, orderMessage, orderResume, orderTalk, orderTask, serveOrder } from '../workspace/runSpawn.ts';
import type { Order } from '../workspace/runSpawn.ts';
import { openClone } from '../workspace/compose.ts';
import { daemonRuns, withSession } from '../workspace/session.ts';
import type { Session } from '../workspace/session.ts';
import { messageText } from './channel.ts';
import { paint } from './output.ts';
import type { Answer } from './output.ts';
import { eventLine } from './upText.ts';

export interface RunOptions {
  readonly task?: string | undefined;
  readonly prompt?: string | undefined;
  readonly channel?: string | undefined;
  readonly detach?: boolean | undefined;
  readonly json?: boolean | undefined;
}

const LOOK_MS = 300;
/** What `--channel` alone says to the agent. */
const LOOK_AT_CHANNEL = 'read what was said here and answer what concerns you.';

export async function runCommand(agent: string, { task, prompt, channel, ...options }: RunOptions): Promise<Answer> {
  if ([task !== undefined, prompt !== undefined || channel !== undefined].filter(Boolean).length !== 1) {
    throw new CambiumError('usage', 'What shall it do?', { hint: `Say one: \`cambium spawn run ${agent} --task <id>\`, \`--prompt "…"\` or \`--channel <name>\`.` });
  }
  const text = prompt === '-' ? await readInput('-') : (prompt ?? LOOK_AT_CHANNEL);
  const order = await withSession({ needsHub: true }, (session) => (task === undefined ? orderMessage(session, agent, text, { channel }) : orderTask(session, agent, task)));
  return carryOut(agent, order, options);
}

export async function talkCommand(spawn: string, text: string, options: Pick<RunOptions, 'detach' | 'json'>): Promise<Answer> {
  const said = text === '-' ? await readInput('-') : text;
  const { order, agent } = await withSession({ needsHub: true }, (session) => orderTalk(session, spawn, said));
  return carryOut(agent, order, options);
}

/** Goes on where an ended spawn stood: with its task, or in its conversation. */
export async function resumeCommand(spawn: string, text: string | undefined, options: Pick<RunOptions, 'detach' | 'json'>): Promise<Answer> {
  const { order, agent } = await withSession({ needsHub: true }, (session) => orderResume(session, spawn, text ?? 'Go on where you stopped.'));
  return carryOut(agent, order, options);
}

async function carryOut(agent: string, order: Order, { detach, json }: Pick<RunOptions, 'detach' | 'json'>): Promise<Answer> {
  const served = await look((session) => daemonRuns(session.clone));
  if (detach === true) {
    if (!served) await launch(agent, order);
    const begun = await waitFor(() => look(async (session) => (await beginningOf(session.clone, order)) ?? ((await endOfOrder(session, agent, order)).over ? OVER : null)), START_MS);
    // A quick one may have begun and ended between two looks.
    if (begun === OVER) return told(agent, order);
    const how = begun === null ? `${agent} is asked; it has not started yet.` : `Started: ${begun}. Follow it with \`cambium spawn logs ${begun} -f\`.`;
    return { data: { agent, order, spawn: begun }, text: how };
  }
  return served ? follow(agent, order) : serve(agent, order, json === true);
}

const START_MS = 15_000;
const OVER = 'over';

/** A second `cambium spawn serve` in the background serves the order until it is over. */
async function launch(agent: string, order: Order): Promise<void> {
  const log = await look(async (session) => join(session.clone.workDir, 'spawns', 'detached.log'));
  launchDetached(['spawn', 'serve', agent, JSON.stringify(order)], log);
}

/** What `--detach` runs in the background. */
export async function serveCommand(agent: string, text: string): Promise<Answer> {
  return serve(agent, JSON.parse(text) as Order, true);
}

async function serve(agent: string, order: Order, quiet: boolean): Promise<Answer> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const clock = createSystemClock();
  const clone = await openClone();
  try {
    const say = (event: string, fields: Readonly<Record<string, unknown>> = {}): void => void (quiet ? undefined : process.stderr.write(`${paint(eventLine(clock.now(), event, fields, false), 2, process.stderr)}\n`));
    const over = await serveOrder(clone, { agent, task: order.kind === 'task' ? order.task : null }, order, say, stop.signal);
    if (!over && !stop.signal.aborted) return await follow(agent, order);
    if (!over) return { data: { agent, order, over }, text: `${agent} goes on without this command for as long as its lease lasts; \`cambium up\` adopts it.`, exit: 1 };
  } finally {
    await clone.close();
  }
  return told(agent, order);
}

/** A daemon does it; this only looks until it is over. */
async function follow(agent: string, order: Order): Promise<Answer> {
  await waitFor(async () => ((await look((session) => endOfOrder(session, agent, order))).over ? true : null), Infinity);
  return told(agent, order);
}

async function told(agent: string, order: Order): Promise<Answer> {
  if (order.kind === 'message') {
    const { answers } = await look((session) => endOfOrder(session, agent, order));
    return { data: { agent, order, answers }, text: answers.map(messageText).join('\n'), exit: answers.some(({ kind }) => kind === 'say') ? 0 : 1 };
  }
  const { taskDetail } = await import('../workspace/queue.ts');
  const detail = await look((session) => taskDetail(session, order.task));
  return { data: { agent, order, task: detail }, text: `${order.task} is ${detail.state}. See \`cambium show ${order.task}\`.`, exit: detail.state === 'done' ? 0 : 1 };
}

function look<T>(body: (session: Session) => Promise<T>): Promise<T> {
  return withSession({ needsHub: false }, body);
}

/** Null when the time is up. */
async function waitFor<T>(found: () => Promise<T | null>, forMs: number): Promise<T | null> {
  const clock = createSystemClock();
  for (const untilMs = clock.bootMs() + forMs; ; await clock.sleep(LOOK_MS)) {
    const value = await found();
    if (value !== null || clock.bootMs() >= untilMs) return value;
  }
}
