/**
 * The detached supervisor of one agent: `node superviseMain.js <scratch>`, the order as JSON on standard input.
 * It outlives the daemon (kill -9 included) and then still ends the agent at the self-fencing deadline
 * (PROTOCOL P4.4). Imports node builtins and files that do the same: it must start fast.
 */
import { existsSync } from 'node:fs';
import type { SpawnEnd } from '../../ports/provider.ts';
import { bootMs } from './bootClock.ts';
import { sleep } from './clock.ts';
import { endTree, spawnTree } from './descendants.ts';
import { writeWhole } from './durable.ts';
import { selfIdentity } from './identity.ts';
import { END_FILE, STOP_FILE, SUPERVISOR_FILE, readPlain } from './spawnFiles.ts';
import type { Order, SupervisorRecord } from './spawnFiles.ts';
import { superviseAgent } from './supervision.ts';

/** How long an end record that cannot be written (a full disk) is tried again before the spawn counts as lost. */
const RECORD_TRIES_MS = 600_000;

const scratch = process.argv[2] ?? '';
const asked = new AbortController();
let reason: 'fenced' | 'asked' | null = null;

async function readStopFile(): Promise<void> {
  const text = await readPlain(`${scratch}/${STOP_FILE}`);
  if (text !== null) ask(text.trim() === 'fenced' ? 'fenced' : 'asked');
}

function ask(why: 'fenced' | 'asked'): void {
  reason ??= why;
  asked.abort();
}

/** TERM without a stop file is a person's. */
async function onTerm(): Promise<void> {
  await readStopFile();
  ask('asked');
}

async function readOrder(): Promise<Order> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as Order;
}

async function record(agent: SupervisorRecord['agent']): Promise<void> {
  const value: SupervisorRecord = { process: selfIdentity(), agent };
  await writeWhole(`${scratch}/${SUPERVISOR_FILE}`, `${JSON.stringify(value)}\n`);
}

/** The agent is over by now, so there is time; only a scratch folder that was deleted has nobody to tell. */
async function recordEnd(end: SpawnEnd): Promise<void> {
  const until = bootMs() + RECORD_TRIES_MS;
  while (existsSync(scratch) && bootMs() < until) {
    const written = await writeWhole(`${scratch}/${END_FILE}`, `${JSON.stringify(end)}\n`).then(() => true, () => false);
    if (written) return;
    await sleep(1000);
  }
}

/** A fault of our own must not leave an agent that nobody fences. */
async function endAfterFault(order: Order, cause: unknown): Promise<SpawnEnd> {
  console.error(cause);
  await endTree(spawnTree(order.id, selfIdentity().start), order.graceMs);
  const now = new Date().toISOString();
  return { exit: null, signal: null, stopped: reason, startedAt: now, endedAt: now, tail: `cambium: the supervisor failed: ${String(cause)}` };
}

async function main(): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void onTerm());
  process.on('SIGHUP', () => undefined);
  // The daemon reads one word and may be gone before it is written.
  process.stdout.on('error', () => undefined);
  const order = await readOrder();
  await record(null);
  // Asked to stop before we were on record: whoever asked could not have signalled us.
  await readStopFile();
  process.stdout.write('ready\n');
  const fault = new Promise<never>((_, reject) => process.on('uncaughtException', reject));
  const run = superviseAgent({
    scratch, order, stopAsked: () => reason, stopSignal: asked.signal,
    // Unwritten on a full disk: the mark in the environment still finds the agent.
    onAgent: (agent) => record(agent).catch(() => undefined),
  });
  await recordEnd(await Promise.race([run, fault]).catch((cause: unknown) => endAfterFault(order, cause)));
}

await main();
process.exit(0);
