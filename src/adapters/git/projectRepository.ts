/**
 * The bare repository of a project in this clone: `<git common dir>/cambium/projects/<name>-<hash of its address>.git`. What
 * waits in its outbox is for that address only, so another address gets a repository of its own.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CambiumError } from '../../errors.ts';
import { errnoOf, syncFolder } from '../system/durable.ts';
import { hubFailure } from './pushReport.ts';
import { git, tryGit } from './run.ts';

/** Throws `hub-away` or `hub-denied` where the project cannot be asked which object format it has. */
export async function ensureProjectRepository(stateDir: string, name: string, url: string): Promise<string> {
  const folder = join(stateDir, 'projects');
  const path = join(folder, `${name}-${createHash('sha256').update(url).digest('hex').slice(0, 8)}.git`);
  if (existsSync(path)) return path;
  const format = await formatOf(url);
  await mkdir(folder, { recursive: true });
  const unfinished = await mkdtemp(join(folder, 'new-'));
  try {
    await git(['init', '--quiet', '--bare', '--template=', `--object-format=${format}`, unfinished]);
    await rename(unfinished, path);
  } catch (cause) {
    await rm(unfinished, { recursive: true, force: true });
    // Another process was faster: its repository is as good.
    if (!existsSync(path) && errnoOf(cause) !== 'ENOTEMPTY') throw cause;
  }
  await syncFolder(folder);
  return path;
}

async function formatOf(url: string): Promise<'sha1' | 'sha256'> {
  const said = await tryGit(['ls-remote', '--', url, 'HEAD', 'refs/heads/*'], { timeoutMs: 60_000 });
  if (said.code !== 0) throw hubFailure({ code: said.code, stdout: '', stderr: said.stderr, timedOut: said.code === -1 }, url);
  const oid = said.stdout.toString('utf8').split('\t')[0] ?? '';
  if (oid === '') throw new CambiumError('bad-config', 'It has no branch yet.', { hint: 'Push a first commit to it.' });
  return oid.length === 64 ? 'sha256' : 'sha1';
}
