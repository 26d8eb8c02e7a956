/** What an agent may change in a project: its role's globs, without those that speak of the workspace's own folders. Pure. */
import type { FleetConfig } from '../../model/config.ts';
import { matchesAny } from '../../model/glob.ts';
import { isStatePath } from '../../model/layout.ts';
import type { PathChange } from '../../observe/tree.ts';

/**
 * One sentence for each change that the role does not allow. `tasks/**` or `templates/**` of a project are its own;
 * what steers agents (`.claude/**`, `AGENTS.md` …) is protected there, too.
 */
export function projectBreaches(changes: readonly PathChange[], role: string, agent: string, config: FleetConfig): readonly string[] {
  const rules = config.roles[role] ?? { write: [], except: [], add: [] };
  const forAgent = (globs: readonly string[]): readonly string[] => globs.filter((glob) => !isStatePath(glob)).map((glob) => glob.replaceAll('{agent}', agent));
  const [write, except, add, protectedPaths] = [rules.write, rules.except, rules.add, config.protectedPaths].map(forAgent) as [readonly string[], readonly string[], readonly string[], readonly string[]];
  return changes.map((change) => breach(change, { role, write, except, add, protectedPaths })).filter((reason): reason is string => reason !== null);
}

interface Rules {
  readonly role: string;
  readonly write: readonly string[];
  readonly except: readonly string[];
  readonly add: readonly string[];
  readonly protectedPaths: readonly string[];
}

function breach({ path, before, after }: PathChange, { role, write, except, add, protectedPaths }: Rules): string | null {
  if (matchesAny(path, protectedPaths)) return `${path} is protected`;
  if (before?.mode === '160000' || after?.mode === '160000') return `${path} is a submodule: what it points to cannot be landed with this project`;
  if (before === null && matchesAny(path, add)) return null;
  if (matchesAny(path, write) && !matchesAny(path, except)) return null;
  return `${path} is outside what the role ${role} may ${before === null ? 'add' : after === null ? 'delete' : 'change'}`;
}
