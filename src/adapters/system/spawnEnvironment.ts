/** The environment of what is spawned: little enough that no credential of the daemon's comes along. */
import { MARK } from './descendants.ts';

const KEPT = ['PATH', 'HOME', 'LANG', 'LANGUAGE', 'TERM', 'TMPDIR', 'SHELL', 'USER', 'LOGNAME', 'TZ'];

/** PATH, HOME, the language and the like from `from`. Nothing else, SSH_AUTH_SOCK included. */
export function minimalEnvironment(from: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept = Object.entries(from).filter(([name, value]) => value !== undefined && (KEPT.includes(name) || name.startsWith('LC_')));
  return Object.fromEntries(kept) as Record<string, string>;
}

/** What an agent gets: the minimum, what its spec adds, and the mark by which its descendants are found. */
export function agentEnvironment(from: Readonly<Record<string, string | undefined>>, added: Readonly<Record<string, string>>, id: string): Record<string, string> {
  return { ...minimalEnvironment(from), ...added, [MARK]: id };
}

/** The supervisor keeps the mark of the spawn in which this daemon itself runs, if any: ending that ends ours. */
export function supervisorEnvironment(from: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const outer = from[MARK];
  return { ...minimalEnvironment(from), ...(outer === undefined ? {} : { [MARK]: outer }) };
}
