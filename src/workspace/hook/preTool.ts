/**
 * `cambium hook pre-tool`: refuses a file tool's write that would not land anyway, with the reason and the mend, before the agent
 * has built on it; or one to paths that another agent has reserved. It is no wall: a shell writes past it, and a hook that fails
 * or is too slow lets everything through. What lands is judged at landing, by the same function (orient/scope.ts).
 */
import { relative, resolve } from 'node:path';
import { lookUp } from '../../adapters/git/lookUp.ts';
import { bootMs } from '../../adapters/system/bootClock.ts';
import { WORKTREES, findRepository } from '../../adapters/system/hookPlace.ts';
import type { Repository } from '../../adapters/system/hookPlace.ts';
import { realPath } from '../../adapters/system/hookState.ts';
import { NOTHING, toolWrites } from '../../model/hook.ts';
import type { HookAnswer, ToolWrite } from '../../model/hook.ts';
import { matchesAny } from '../../model/glob.ts';
import { CONFIG_FILE, LOCKS_PREFIX, mirrorRef } from '../../model/layout.ts';
import { PATHS_LOCK, lapsesInMs, watchLocks } from '../../model/lock.ts';
import type { LockWatch, Reservation } from '../../model/lock.ts';
import { projectBreaches, scopeBreaches } from '../../orient/scope.ts';
import type { ScopedChange } from '../../orient/scope.ts';
import { plain } from '../plain.ts';
import { onMain } from './call.ts';
import type { HookCall } from './call.ts';
import { hookRules } from './rules.ts';

export async function answer(call: HookCall): Promise<HookAnswer> {
  const { input, place, agent } = call;
  const writes = input.tool === null ? null : toolWrites(input.tool);
  if (writes === null) return NOTHING;
  const targets = writes.map((write) => targetOf(call, write)).filter((target) => target !== null);
  if (targets.length === 0) return NOTHING;
  const names = [onMain(place, CONFIG_FILE), `${mirrorRef(`${LOCKS_PREFIX}${PATHS_LOCK}`)}:lock.json`, ...targets.map(({ path }) => onMain(place, path))];
  const [config, paths, ...standing] = lookUp(place.commonDir, names);
  const rules = await hookRules(call.state, config ?? null);
  const role = (Object.hasOwn(rules.roleOf, agent) ? rules.roleOf[agent] : undefined) ?? 'worker';
  const reserved = await foreignReservations(call, paths?.bytes ?? null, rules.fetchMs);
  const reasons = targets.flatMap((target, at) => {
    const breaches = breachesOf(target, standing[at] !== null, role, agent, rules);
    return breaches.length > 0 ? breaches.map((breach) => `${breach}: it would be refused at landing. Do without it, or say in your report what a person should change there.`) : reservedBy(target, reserved);
  });
  return reasons.length === 0 ? NOTHING : { kind: 'deny', reason: [...new Set(reasons)].map(plain).join('\n') };
}

interface Target {
  /** Relative to the top of the tree that it belongs to. */
  readonly path: string;
  readonly deletes: boolean;
  /** The repository of a task that works in another one; null in the workspace. */
  readonly project: Repository | null;
}

/** Null for what is no part of a tree that lands: the agent's own scratch, `/tmp`, another repository. */
function targetOf({ cwd, input, place }: HookCall, { path: said, deletes }: ToolWrite): Target | null {
  const path = realPath(resolve(input.cwd ?? cwd, said));
  const home = realPath(place.root);
  const inside = path.indexOf(WORKTREES);
  if (inside < 0) return treeTarget(home, path, deletes, null);
  const top = path.slice(0, path.indexOf('/', inside + WORKTREES.length) + 1).replace(/\/$/, '');
  const repository = findRepository(top);
  return repository?.top !== top ? null : treeTarget(top, path, deletes, realPath(repository.commonDir) === realPath(place.commonDir) ? null : repository);
}

function treeTarget(top: string, path: string, deletes: boolean, project: Repository | null): Target | null {
  const inner = relative(top, path);
  return inner === '' || inner.startsWith('..') || /^\.cambium(?:\/|$)/.test(inner) ? null : { path: inner, deletes, project };
}

function breachesOf({ path, deletes, project }: Target, onMainNow: boolean, role: string, agent: string, rules: Parameters<typeof scopeBreaches>[3]): readonly string[] {
  if (/^\.git(?:\/|$)/.test(path)) return [`${path} is git's own`];
  // What the agent itself has added since is still an addition: the base of its work is main, not the worktree.
  const isThere = project === null ? onMainNow : (lookUp(project.gitDir, [`HEAD:${path}`])[0] ?? null) !== null;
  const file = { mode: '100644' } as const;
  const change: ScopedChange = { path, before: isThere ? file : null, after: deletes ? null : file };
  return (project === null ? scopeBreaches : projectBreaches)([change], role, agent, rules);
}

/** Reservations of others that have not lapsed as far as this clone has watched; paths of the workspace's own tree. */
async function foreignReservations({ agent, state }: HookCall, bytes: Buffer | null, fetchMs: number): Promise<readonly Reservation[]> {
  if (bytes === null) return [];
  const { parseLockRecord } = await import('../../observe/lockRecord.ts');
  const standing = (parseLockRecord(bytes).reservations ?? []).filter(({ holder }) => holder !== `agent:${agent}`);
  if (standing.length === 0) return [];
  const { bootId } = await import('../../adapters/system/identity.ts');
  const clock = { boot: bootId(), bootMs: bootMs(), fetchMs };
  const before = watchIn(state.read(WATCH));
  const watch = watchLocks(before, standing, clock.boot, clock.bootMs);
  if (JSON.stringify(watch) !== JSON.stringify(before)) state.write(WATCH, JSON.stringify(watch));
  // Whoever of this clone has watched for longer: this hook, or the command line.
  const shared = watchIn(state.record('locks'));
  return standing.filter((one) => Math.min(lapsesInMs(one, watch, clock), lapsesInMs(one, shared, clock)) > 0);
}

/** Since when the hooks of this clone have seen each reservation. */
const WATCH = 'locks.json';

function watchIn(text: string | null): LockWatch | null {
  const value = JSON.parse(text ?? 'null') as Partial<LockWatch> | null;
  return typeof value?.boot === 'string' && typeof value.since === 'object' ? (value as LockWatch) : null;
}

function reservedBy({ path, project }: Target, reserved: readonly Reservation[]): readonly string[] {
  if (project !== null) return [];
  return reserved.filter(({ globs }) => matchesAny(path, globs)).map(({ holder, node, globs, why }) => `${path} is reserved by ${holder} on ${node} (${globs.join(', ')}${why === '' ? '' : `: ${why}`}): work elsewhere until \`cambium lock list\` shows it free, or ask its holder.`);
}
