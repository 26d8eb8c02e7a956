/**
 * What an agent of a role may change (docs/formats.md, cambium.yaml `roles`): judged of finished work before it lands, and
 * of a single write before an agent CLI makes it. Protected paths always win. Pure.
 */
import type { FleetConfig } from '../model/config.ts';
import type { FileEntry } from '../model/git.ts';
import { matchesAny } from '../model/glob.ts';
import { isStatePath, taskFileKind } from '../model/layout.ts';

/** One path that changes; null stands for no file. */
export interface ScopedChange {
  readonly path: string;
  readonly before: Pick<FileEntry, 'mode'> | null;
  readonly after: Pick<FileEntry, 'mode'> | null;
}

/** The part of the fleet's settings that says what may be changed. */
export type ScopeConfig = Pick<FleetConfig, 'roles' | 'protectedPaths'>;

/** One sentence for each change that the role does not allow; empty when all are within its scope. */
export function scopeBreaches(changes: readonly ScopedChange[], role: string, agent: string, config: ScopeConfig): readonly string[] {
  return changes.map((change) => breach(change, role, agent, config)).filter((reason): reason is string => reason !== null);
}

function breach({ path, before, after }: ScopedChange, role: string, agent: string, config: ScopeConfig): string | null {
  const rules = rulesOf(config, role);
  const forAgent = (globs: readonly string[]): string[] => globs.map((glob) => glob.replaceAll('{agent}', agent));
  if (matchesAny(path, config.protectedPaths)) return `${path} is protected`;
  const isState = /^(tasks|agents|memory)\//.test(path);
  if (isState && (after?.mode === '120000' || after?.mode === '160000')) return `${path} is a symlink or submodule in a state folder`;
  if (isState && (taskFileKind(path) === 'claim' || taskFileKind(path) === 'result')) return `${path} is written by the engine only`;
  if (before === null && matchesAny(path, forAgent(rules.add))) return null;
  if (matchesAny(path, forAgent(rules.write)) && !matchesAny(path, forAgent(rules.except))) return null;
  return outside(path, role, before, after);
}

/**
 * The same for a task that works in another repository. `tasks/**` or `templates/**` of a project are its own, so globs that
 * speak of the workspace's folders do not count; what steers agents (`.claude/**`, `AGENTS.md` …) is protected there, too.
 */
export function projectBreaches(changes: readonly ScopedChange[], role: string, agent: string, config: ScopeConfig): readonly string[] {
  const rules = rulesOf(config, role);
  const forAgent = (globs: readonly string[]): readonly string[] => globs.filter((glob) => !isStatePath(glob)).map((glob) => glob.replaceAll('{agent}', agent));
  const [write, except, add, protectedPaths] = [rules.write, rules.except, rules.add, config.protectedPaths].map(forAgent) as [readonly string[], readonly string[], readonly string[], readonly string[]];
  return changes.map(({ path, before, after }) => {
    if (matchesAny(path, protectedPaths)) return `${path} is protected`;
    if (before?.mode === '160000' || after?.mode === '160000') return `${path} is a submodule: what it points to cannot be landed with this project`;
    if (before === null && matchesAny(path, add)) return null;
    if (matchesAny(path, write) && !matchesAny(path, except)) return null;
    return outside(path, role, before, after);
  }).filter((reason): reason is string => reason !== null);
}

function rulesOf({ roles }: ScopeConfig, role: string): FleetConfig['roles'][string] {
  return (Object.hasOwn(roles, role) ? roles[role] : undefined) ?? { write: [], except: [], add: [] };
}

function outside(path: string, role: string, before: object | null, after: object | null): string {
  return `${path} is outside what the role ${role} may ${before === null ? 'add' : after === null ? 'delete' : 'change'}`;
}
