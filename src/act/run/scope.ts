/** What an agent of a role may change (docs/formats.md, cambium.yaml `roles`). Protected paths always win. Pure. */
import type { FleetConfig } from '../../model/config.ts';
import { matchesAny } from '../../model/glob.ts';
import { taskFileKind } from '../../model/layout.ts';
import type { PathChange } from '../../observe/tree.ts';

/** One sentence for each change that the role does not allow; empty when all are within its scope. */
export function scopeBreaches(changes: readonly PathChange[], role: string, agent: string, config: FleetConfig): readonly string[] {
  return changes.map((change) => breach(change, role, agent, config)).filter((reason): reason is string => reason !== null);
}

function breach({ path, before, after }: PathChange, role: string, agent: string, config: FleetConfig): string | null {
  const rules = config.roles[role] ?? { write: [], except: [], add: [] };
  const forAgent = (globs: readonly string[]): string[] => globs.map((glob) => glob.replaceAll('{agent}', agent));
  if (matchesAny(path, config.protectedPaths)) return `${path} is protected`;
  const isState = /^(tasks|agents|memory)\//.test(path);
  if (isState && (after?.mode === '120000' || after?.mode === '160000')) return `${path} is a symlink or submodule in a state folder`;
  if (isState && (taskFileKind(path) === 'claim' || taskFileKind(path) === 'result')) return `${path} is written by the engine only`;
  if (before === null && matchesAny(path, forAgent(rules.add))) return null;
  if (matchesAny(path, forAgent(rules.write)) && !matchesAny(path, forAgent(rules.except))) return null;
  return `${path} is outside what the role ${role} may ${before === null ? 'add' : after === null ? 'delete' : 'change'}`;
}
