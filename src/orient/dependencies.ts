/**
 * What each task waits for. A dependency is met only by `done`; one that failed or was cancelled blocks until a
 * person acts (docs/formats.md, "Task states"). Pure.
 */
import type { TaskId } from '../model/ids.ts';
import type { Outcome, Task } from '../model/task.ts';

/** `waiting` ends by itself; `stuck` waits for a task that needs a person; the others need a person here. */
export type BlockKind = 'waiting' | 'stuck' | 'failed' | 'cancelled' | 'unknown' | 'cycle';

export interface Blocked {
  readonly kind: BlockKind;
  /** The dependency that blocks; of a cycle, the next task on it. */
  readonly on: TaskId;
  readonly reason: string;
  readonly mend: string;
  /** What is wrong at the root of it, without the way there. */
  readonly cause: string;
}

export type Dependencies = ReadonlyMap<TaskId, 'met' | Blocked>;
type Dependant = Pick<Task, 'path' | 'dependsOn'>;
type Results = ReadonlyMap<TaskId, { readonly outcome: Outcome }>;

/** `results` may hold more than the tasks in the tree: an archived task is known by its result alone. */
export function orientDependencies(tasks: ReadonlyMap<TaskId, Dependant>, results: Results): Dependencies {
  const open = (id: TaskId): readonly TaskId[] => (tasks.get(id)?.dependsOn ?? []).filter((on) => tasks.has(on) && !results.has(on));
  const ids = [...tasks.keys()].filter((id) => !results.has(id));
  const states = new Map<TaskId, 'met' | Blocked>();
  const near = createGuesser(tasks);
  for (const id of tasks.keys()) if (results.has(id)) states.set(id, 'met');

  function blockBy(on: TaskId, path: string): Blocked | null {
    const outcome = results.get(on)?.outcome;
    if (outcome !== undefined) return outcome === 'done' ? null : ended(on, outcome, path);
    if (!tasks.has(on)) return unknown(on, path, near(on));
    const below = states.get(on) ?? 'met';
    return below === 'met' || below.kind === 'waiting' ? waiting(on) : stuck(on, below);
  }

  function judge(id: TaskId): 'met' | Blocked {
    const { path, dependsOn } = tasks.get(id) as Dependant;
    let first: Blocked | null = null;
    for (const on of dependsOn) {
      const block = blockBy(on, path);
      // What a person must mend is told before what merely takes time.
      if (block !== null && block.kind !== 'waiting') return block;
      first ??= block;
    }
    return first ?? 'met';
  }

  for (const group of groupsInOrder(ids, open)) {
    for (const [id, cycle] of cyclesOf(group, open)) states.set(id, cycle);
    for (const id of group) if (!states.has(id)) states.set(id, judge(id));
  }
  return states;
}

function waiting(on: TaskId): Blocked {
  const reason = `waits for ${on}`;
  return { kind: 'waiting', on, reason, cause: reason, mend: `It starts by itself when ${on} is done.` };
}

function stuck(on: TaskId, { cause, mend }: Blocked): Blocked {
  return { kind: 'stuck', on, reason: `waits for ${on}, which is blocked: ${cause}`, cause, mend };
}

function ended(on: TaskId, outcome: 'failed' | 'cancelled', path: string): Blocked {
  const reason = `depends on ${on}, which ${outcome === 'failed' ? 'failed' : 'was cancelled'}`;
  return { kind: outcome, on, reason, cause: reason, mend: `Reopen it with \`cambium task retry ${on}\`, or take it out of depends_on in ${path}.` };
}

function unknown(on: TaskId, path: string, near: readonly TaskId[]): Blocked {
  const reason = `depends on ${on}, which does not exist`;
  const mend = near.length > 0 ? `Did you mean ${near.join(' or ')}? Correct depends_on in ${path}.` : `Add tasks/${on}.md, or correct depends_on in ${path}.`;
  return { kind: 'unknown', on, reason, cause: reason, mend };
}

/** Generated ids end in four random characters that people leave out. Each unknown id is looked up once. */
function createGuesser(tasks: ReadonlyMap<TaskId, unknown>): (id: TaskId) => readonly TaskId[] {
  const known = new Map<TaskId, readonly TaskId[]>();
  return (on) => {
    const near = known.get(on) ?? [...tasks.keys()].filter((id) => id.startsWith(`${on}-`) || on.startsWith(`${id}-`)).slice(0, 3);
    known.set(on, near);
    return near;
  };
}

/** One cycle for each member, the shortest through the smallest id that has none yet: `a → b → a`. */
function cyclesOf(group: readonly TaskId[], open: (id: TaskId) => readonly TaskId[]): ReadonlyMap<TaskId, Blocked> {
  const found = new Map<TaskId, Blocked>();
  const [only] = group;
  if (group.length === 1 && only !== undefined && !open(only).includes(only)) return found;
  const members = new Set(group);
  for (const start of group.toSorted()) {
    if (found.has(start)) continue;
    const cycle = shortestCycle(start, (id) => open(id).filter((on) => members.has(on)));
    const reason = `depends on itself: ${cycle.join(' → ')}`;
    for (const [at, id] of cycle.slice(0, -1).entries()) {
      if (!found.has(id)) found.set(id, { kind: 'cycle', on: cycle[at + 1] as TaskId, reason, cause: reason, mend: 'Take one of them out of the other\'s depends_on.' });
    }
  }
  return found;
}

/** Breadth first from `start` back to it; every member of a strongly connected group lies on such a cycle. */
function shortestCycle(start: TaskId, next: (id: TaskId) => readonly TaskId[]): readonly TaskId[] {
  const cameFrom = new Map<TaskId, TaskId>();
  const queue = [start];
  for (let at = 0; at < queue.length; at++) {
    const id = queue[at] as TaskId;
    for (const on of next(id)) {
      if (on === start) return walkBack(start, id, cameFrom);
      if (cameFrom.has(on)) continue;
      cameFrom.set(on, id);
      queue.push(on);
    }
  }
  return [start, start];
}

function walkBack(start: TaskId, end: TaskId, cameFrom: ReadonlyMap<TaskId, TaskId>): readonly TaskId[] {
  const path = [start];
  for (let id = end; id !== start; id = cameFrom.get(id) as TaskId) path.push(id);
  return [...path, start].toReversed();
}

/**
 * Tarjan's strongly connected groups, dependencies first, so that what blocks a dependency is known before its
 * dependants are judged. A stack of its own: a chain of ten thousand tasks must not overflow the call stack.
 */
function groupsInOrder(ids: readonly TaskId[], next: (id: TaskId) => readonly TaskId[]): readonly (readonly TaskId[])[] {
  const index = new Map<TaskId, number>();
  const low = new Map<TaskId, number>();
  const stack: TaskId[] = [];
  const onStack = new Set<TaskId>();
  const groups: TaskId[][] = [];

  function enter(id: TaskId): { readonly id: TaskId; readonly edges: readonly TaskId[]; at: number } {
    index.set(id, index.size);
    low.set(id, index.get(id) as number);
    stack.push(id);
    onStack.add(id);
    return { id, edges: next(id), at: 0 };
  }

  function lower(id: TaskId, to: number): void {
    low.set(id, Math.min(low.get(id) as number, to));
  }

  function leave(id: TaskId): void {
    if (low.get(id) !== index.get(id)) return;
    const group = stack.splice(stack.lastIndexOf(id));
    for (const member of group) onStack.delete(member);
    groups.push(group);
  }

  for (const root of ids) {
    if (index.has(root)) continue;
    const frames = [enter(root)];
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const on = frame.edges[frame.at++];
      if (on === undefined) {
        leave(frame.id);
        frames.pop();
        const parent = frames.at(-1);
        if (parent !== undefined) lower(parent.id, low.get(frame.id) as number);
      } else if (!index.has(on)) frames.push(enter(on));
      else if (onStack.has(on)) lower(frame.id, index.get(on) as number);
    }
  }
  return groups;
}
