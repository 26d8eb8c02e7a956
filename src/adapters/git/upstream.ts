/** The repository that this framework's code comes from, fetched beside the fleet's own refs: nothing of it becomes a branch or a tag of the clone. */
import { CambiumError } from '../../errors.ts';
import type { Oid } from '../../model/ids.ts';
import { LOCAL_PREFIX } from '../../model/layout.ts';
import { redact } from './pushReport.ts';
import { git, gitText, tryGit } from './run.ts';

const UPSTREAM = `${LOCAL_PREFIX}upstream/`;

/** Names of the upstream with the commits that they stand for. */
export interface Upstream {
  readonly tags: ReadonlyMap<string, Oid>;
  readonly branches: ReadonlyMap<string, Oid>;
  /** What its HEAD names; null where that is no branch of it. */
  readonly head: Oid | null;
}

/** A URL that is an option of git's, or that runs a command of its author's (`ext::`), is none. */
export function isUpstreamUrl(url: string): boolean {
  return url !== '' && !url.startsWith('-') && !/^[a-z0-9+.-]+::/i.test(url) && !/\p{Cc}/u.test(url);
}

/** Throws `usage` where nothing can be fetched from there. */
export async function fetchUpstream(gitDir: string, url: string): Promise<Upstream> {
  const fetched = await tryGit(
    ['fetch', '--quiet', '--prune', '--no-tags', '--no-write-fetch-head', '--', url, `+refs/heads/*:${UPSTREAM}heads/*`, `+refs/tags/*:${UPSTREAM}tags/*`],
    { gitDir },
  );
  if (fetched.code !== 0) {
    throw new CambiumError('usage', `Nothing could be fetched from ${redact(url, url)}: ${redact(lastLine(fetched.stderr), url)}`, { hint: 'Name the repository of the framework: `cambium upgrade --from <url>`.' });
  }
  const [tags, branches, head] = await Promise.all([commitsBelow(gitDir, 'tags/'), commitsBelow(gitDir, 'heads/'), headBranch(gitDir, url)]);
  return { tags, branches, head: head === null ? null : (branches.get(head) ?? null) };
}

async function commitsBelow(gitDir: string, folder: string): Promise<Map<string, Oid>> {
  const lines = await gitText(['for-each-ref', '--format=%(refname) %(objecttype) %(objectname) %(*objecttype) %(*objectname)', `${UPSTREAM}${folder}`], { gitDir });
  const commits = new Map<string, Oid>();
  for (const line of lines.split('\n').filter((text) => text !== '')) {
    const [ref = '', type, oid = '', taggedType, tagged = ''] = line.split(' ');
    const commit = type === 'commit' ? oid : taggedType === 'commit' ? tagged : null;
    if (commit !== null) commits.set(ref.slice(UPSTREAM.length + folder.length), commit);
  }
  return commits;
}

async function headBranch(gitDir: string, url: string): Promise<string | null> {
  const listed = await tryGit(['ls-remote', '--symref', '--', url, 'HEAD'], { gitDir });
  return /^ref: refs\/heads\/(\S+)\tHEAD$/m.exec(listed.stdout.toString('utf8'))?.[1] ?? null;
}

function lastLine(text: string): string {
  return text.trim().split('\n').filter((line) => line !== '').at(-1)?.replace(/^(?:fatal|error): /, '') ?? 'no answer';
}

/** The commit that an abbreviated object id names, or null. */
export async function commitNamed(gitDir: string, abbreviated: string): Promise<Oid | null> {
  if (!/^[0-9a-f]{7,64}$/.test(abbreviated)) return null;
  const found = await tryGit(['rev-parse', '--verify', '--quiet', `${abbreviated}^{commit}`], { gitDir });
  return found.code === 0 ? found.stdout.toString('utf8').trim() : null;
}

/** Paths of the work tree that differ from HEAD, or that HEAD does not have; ignored ones are left out. */
export async function uncommittedPaths(root: string): Promise<ReadonlySet<string>> {
  const { stdout } = await git(['status', '--porcelain', '-z', '--no-renames', '--untracked-files=all'], { cwd: root });
  return new Set(stdout.toString('utf8').split('\0').filter((field) => field !== '').map((field) => field.slice(3)));
}

/** The message of the newest commit of main's history that changed a path; null where none ever did. */
export async function lastChange(gitDir: string, main: Oid, path: string): Promise<string | null> {
  const { stdout } = await git(['log', '-1', '--format=%B', main, '--', `:(literal,top)${path}`], { gitDir });
  return stdout.length === 0 ? null : stdout.toString('utf8');
}
