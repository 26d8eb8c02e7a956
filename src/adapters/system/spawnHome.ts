/** The home of an agent's CLIs: settings written anew for each spawn, and links to the person's own logins. */
import { lstat, mkdir, readlink, rm, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { CambiumError } from '../../errors.ts';
import type { SpawnHome } from '../../ports/provider.ts';
import { writeWhole } from './durable.ts';

/**
 * What else stands in the home (sessions, caches) stays. A login file is linked, not copied: CLIs refresh their tokens in
 * place, and a copy would go stale. One that the person does not have is no link.
 */
export async function prepareHome({ path, files, links }: SpawnHome, personHome: string = homedir()): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  for (const [name, text] of Object.entries(files)) {
    const target = await placeFor(path, name);
    // The home is the agent's: a link that it left there must not lead our bytes elsewhere.
    if ((await lstat(target).catch(() => null))?.isSymbolicLink() === true) await rm(target);
    await writeWhole(target, text, { durable: false });
  }
  for (const [name, from] of Object.entries(links)) await linkLogin(await placeFor(path, name), join(personHome, inside(from)));
}

async function linkLogin(target: string, source: string): Promise<void> {
  const exists = (await lstat(source).catch(() => null)) !== null;
  const before = await lstat(target).catch(() => null);
  if (before !== null && (!before.isSymbolicLink() || (exists && (await readlink(target)) === source))) return;
  if (before !== null) await rm(target);
  if (exists) await symlink(source, target);
}

/** The folders on the way are made; one that the agent replaced by a link leads nowhere. */
async function placeFor(home: string, name: string): Promise<string> {
  const parts = inside(name).split('/');
  for (let at = 1; at < parts.length; at++) {
    const folder = join(home, ...parts.slice(0, at));
    if ((await lstat(folder).catch(() => null))?.isSymbolicLink() === true) await rm(folder);
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  return join(home, ...parts);
}

/** Throws `internal` for a name that leads out. */
function inside(name: string): string {
  const clean = normalize(name);
  if (isAbsolute(clean) || clean.startsWith('..') || dirname(clean) === clean) throw new CambiumError('internal', `${name} is not a name inside a home.`);
  return clean;
}
