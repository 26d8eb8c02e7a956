/**
 * What a work file's content is in the object store: git's clean filters (line endings, ident, encodings, LFS) where
 * attributes or `core.autocrlf` may apply to its path, and the plain bytes everywhere else.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Oid } from '../../model/ids.ts';
import { startsOf } from './paths.ts';
import type { Settings } from './settings.ts';
import { tryTreeGit, workPath } from './site.ts';
import type { Site } from './site.ts';
import { stampOf, statOf } from './stamp.ts';

/** Says of a path whether a filter may apply; folders are looked at once for each returned function. */
export function filterJudge(site: Site, settings: Settings): (path: string) => boolean {
  if (settings.autocrlf || settings.outerAttributes) return () => true;
  const known = new Map<string, boolean>();
  const hasAttributes = (folder: string): boolean => {
    const answer = known.get(folder) ?? existsSync(join(site.root, folder, '.gitattributes'));
    known.set(folder, answer);
    return answer;
  };
  return (path) => ['', ...startsOf(path)].some(hasAttributes);
}

export type Cleaned =
  | { readonly oid: Oid; readonly stamp: string }
  /** git's filter refused it, and how. */
  | { readonly trouble: string }
  /** It changed while git read it. */
  | null;

/**
 * The oids of many work files by git's own filters, one process for all; with `write` their blobs are stored.
 * A file on which a filter fails ends git: it is set aside with the reason and git is started again for the rest.
 */
export async function cleanOids(site: Site, paths: readonly string[], write: boolean): Promise<Map<string, Cleaned>> {
  const cleaned = new Map<string, Cleaned>();
  let rest = [...paths];
  while (rest.length > 0) {
    const stamps = rest.map((path) => stampAt(site, path));
    const said = await tryTreeGit(site, ['-c', 'core.safecrlf=false', 'hash-object', ...(write ? ['-w'] : []), '--stdin-paths'], {
      input: rest.map((path) => `${quoted(path)}\n`).join(''),
    });
    const oids = said.stdout.toString('utf8').split('\n').filter((line) => line !== '');
    for (const [at, oid] of oids.entries()) {
      const [path = '', stamp = null] = [rest[at], stamps[at]];
      cleaned.set(path, stamp !== null && stamp === stampAt(site, path) ? { oid: oid, stamp } : null);
    }
    const failed = rest[oids.length];
    if (failed === undefined) break;
    cleaned.set(failed, stampAt(site, failed) === null ? null : { trouble: lastLine(said.stderr) });
    rest = rest.slice(oids.length + 1);
  }
  return cleaned;
}

function stampAt(site: Site, path: string): string | null {
  const stat = statOf(workPath(site, path));
  return stat?.kind === 'file' ? stampOf(stat) : null;
}

/** The input is line by line; git reads a C-quoted name where a name needs it. */
function quoted(path: string): string {
  if (!/^"|[\n\r\\]/.test(path)) return path;
  const escaped = path.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n').replace(/\r/g, '\\r');
  return `"${escaped}"`;
}

function lastLine(stderr: string): string {
  return stderr.trim().split('\n').at(-1) ?? 'git could not read it';
}
