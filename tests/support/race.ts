/** The race: many processes of many clones claim one task, and the hub accepts none before all have read. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { startCli } from './cli.ts';
import type { Ran } from './cli.ts';
import { runbook } from './fleet.ts';
import type { Seat, TestFleet } from './fleet.ts';
import type { Gate } from './hubHooks.ts';

export interface Round {
  readonly task: string;
  readonly processes: number;
  /** How many stood before the hub, all having read it, when it began to accept. */
  readonly gathered: number;
  /** Agents whose process ended with 0. */
  readonly winners: readonly string[];
  /** How many processes ended with each exit code. */
  readonly exits: Readonly<Record<string, number>>;
  /** Agent and epoch of every claim in the chain. */
  readonly claims: readonly { readonly agent: string | null; readonly epoch: number }[];
  readonly ms: number;
  /** What those said that ended neither as winner nor as loser. */
  readonly strange: readonly string[];
}

export interface RaceOptions {
  readonly task: string;
  readonly processes: number;
  /** The hub begins to accept when all wait before it, or after this time. */
  readonly gatherMs?: number;
}

/** One round on a task of its own. The clones may be used again for the next. */
export async function raceRound(fleet: TestFleet, seats: readonly Seat[], gate: Gate, options: RaceOptions): Promise<Round> {
  const { task, processes, gatherMs = 50_000 } = options;
  fleet.push({ [`tasks/${task}.md`]: runbook(task, 'true') });
  gate.hold({ moving: [/refs\/cambium\/claims\//] });
  const began = performance.now();
  const racers = Array.from({ length: processes }, (_, at) => {
    const seat = seats[at % seats.length] as Seat;
    const agent = `racer-${at + 1}`;
    return { agent, running: startCli(['task', 'claim', task, '--agent', agent, '--json'], { cwd: seat.path, env: fleet.env }) };
  });
  const ended = new Set<string>();
  for (const { agent, running } of racers) void running.ended.then(() => ended.add(agent));
  // One that has ended without a push can never come: then the others have waited long enough.
  await fleet.until('all racers stand before the hub', () => gate.held() + ended.size >= processes || performance.now() - began > gatherMs, gatherMs + 10_000);
  const gathered = gate.held();
  gate.open();
  const ends = await Promise.all(racers.map(async ({ agent, running }) => ({ agent, ...(await running.ended) })));
  for (const seat of seats) rmSync(join(seat.path, '.cambium/worktrees', `${task}-1`), { recursive: true, force: true });
  return {
    task, processes, gathered,
    winners: ends.filter(({ exit }) => exit === 0).map(({ agent }) => agent),
    exits: tally(ends.map(({ exit }) => String(exit))),
    claims: fleet.chain(task).filter(({ kind }) => kind === 'claim').map(({ agent, epoch }) => ({ agent, epoch })),
    ms: Math.round(performance.now() - began),
    strange: ends.filter((end) => end.exit !== 0 && !isLost(end)).map(({ agent, exit, stdout, stderr }) => `${agent} ended with ${exit}: ${stdout}${stderr}`),
  };
}

function isLost({ exit, stdout }: Ran): boolean {
  return exit === 1 && /"code":"(lost-race|refused)"/.test(stdout);
}

function tally(words: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

export interface Drained {
  readonly node: string;
  readonly won: readonly string[];
  /** Exit codes of `task claim` that were neither 0 nor 3, and of `task complete` that were not 0, with what was said. */
  readonly strange: readonly string[];
}

/** One clone takes and completes tasks, one process at a time, until nothing is ready any more. */
export async function drainBy(seat: Seat, agent: string): Promise<Drained> {
  const won: string[] = [];
  const strange: string[] = [];
  for (;;) {
    const claim = await seat.json<{ task: string; epoch: number }>(['task', 'claim', '--agent', agent]);
    if (claim.exit === 3) return { node: seat.name, won, strange };
    if (claim.exit !== 0) {
      strange.push(`claim ended with ${claim.exit}: ${JSON.stringify(claim.error)}`);
      if (strange.length > 5) return { node: seat.name, won, strange };
      continue;
    }
    const { task, epoch } = claim.data;
    won.push(task);
    const complete = await seat.json(['task', 'complete', task, '--agent', agent, '--epoch', String(epoch)]);
    if (complete.exit !== 0) strange.push(`complete ${task} ended with ${complete.exit}: ${JSON.stringify(complete.error)}`);
  }
}
