/**
 * Every process of a spawn, and its end. Agents' tool shells leave the process group and the session (FAULTS
 * 0.7), so a spawn's processes are found three ways: by the mark CAMBIUM_SPAWN in the environment they were
 * started with, by their parent chain, and by having been seen before. What clears its environment and forks
 * twice between two looks escapes all three: only a sandbox closes that door.
 */
import type { ProcessIdentity } from '../../ports/process.ts';
import { bootMs } from './bootClock.ts';
import { sleep } from './clock.ts';
import { environmentHas, listProcesses, readProcess } from './processTable.ts';
import type { ProcessRow } from './processTable.ts';

export const MARK = 'CAMBIUM_SPAWN';
const LOOK_MS = 50;

export interface SpawnTree {
  /** Counts a process as ours, with all that descends from it. */
  adopt(process: Pick<ProcessIdentity, 'pid' | 'start'>): void;
  /** The live processes of the spawn. Those we may not signal are left out once that is known. */
  find(): readonly ProcessRow[];
  /** Sends the signal to exactly these processes: a pid that was reused meanwhile is not hit. */
  signal(rows: readonly ProcessRow[], name: NodeJS.Signals): void;
}

/** `notBefore` is the start time of the spawn's supervisor: nothing older can be its descendant. */
export function spawnTree(id: string, notBefore: number): SpawnTree {
  const entry = `${MARK}=${id}`;
  const denied = new Set<string>();
  let known = new Set<string>();
  const find = (): readonly ProcessRow[] => {
    const rows = listProcesses().filter((row) => row.start >= notBefore && row.pid !== process.pid && !denied.has(keyOf(row)));
    const found = withChildren(rows, rows.filter((row) => known.has(keyOf(row)) || environmentHas(row.pid, entry)));
    known = new Set(found.map(keyOf));
    return found;
  };
  return {
    adopt: (row) => void known.add(keyOf(row)),
    find,
    signal: (rows, name) => {
      for (const row of rows) if (signalExactly(row, name) === 'denied') denied.add(keyOf(row));
    },
  };
}

const keyOf = (row: Pick<ProcessRow, 'pid' | 'start'>): string => `${row.pid}.${row.start}`;

/** The seeds and all below them. A child is never older than its parent: an older one bears a reused ppid. */
function withChildren(rows: readonly ProcessRow[], seeds: readonly ProcessRow[]): readonly ProcessRow[] {
  const children = new Map<number, ProcessRow[]>();
  for (const row of rows) children.set(row.ppid, [...(children.get(row.ppid) ?? []), row]);
  const found = new Map<number, ProcessRow>();
  for (const queue = [...seeds]; queue.length > 0; ) {
    const row = queue.pop();
    if (row === undefined || found.has(row.pid)) continue;
    found.set(row.pid, row);
    queue.push(...(children.get(row.pid) ?? []).filter((child) => child.start >= row.start));
  }
  return [...found.values()];
}

/** Between the look and the signal a pid could only be reused by a whole turn of the pid space. */
export function signalExactly(target: Pick<ProcessIdentity, 'pid' | 'start'>, name: NodeJS.Signals): 'sent' | 'gone' | 'denied' {
  if (readProcess(target.pid)?.start !== target.start) return 'gone';
  try {
    process.kill(target.pid, name);
    return 'sent';
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM' ? 'denied' : 'gone';
  }
}

/**
 * TERM to all, `graceMs` to end, then KILL until none is left. What starts during the grace (an agent's last
 * hook) gets no TERM of its own.
 */
export async function endTree(tree: SpawnTree, graceMs: number): Promise<void> {
  const first = tree.find();
  tree.signal(first, 'SIGTERM');
  // A stopped process takes its TERM only when it runs again.
  tree.signal(first, 'SIGCONT');
  const until = bootMs() + graceMs;
  while (bootMs() < until) {
    if (isEmpty(tree)) return;
    await sleep(Math.min(LOOK_MS, until - bootMs()));
  }
  while (!isEmpty(tree)) {
    tree.signal(tree.find(), 'SIGKILL');
    await sleep(LOOK_MS / 2);
  }
}

/** Two looks: one listing of /proc is no snapshot, and a fork may slip past behind the reader. */
function isEmpty(tree: SpawnTree): boolean {
  return tree.find().length === 0 && tree.find().length === 0;
}
