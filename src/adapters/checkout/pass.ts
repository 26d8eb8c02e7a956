/**
 * The folder of one pass: `<git dir>/cambium/passes/<id>/`. In it stand the lock (which names the owner), the old and
 * the new index, and after the pass its record. The exchanged files stand in it too where it is on the work tree's
 * file system, because only there a rename takes the very file a person saved; otherwise in `.cambium/passes/<id>/`.
 */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CambiumError } from '../../errors.ts';
import type { ProcessIdentity } from '../../ports/process.ts';
import { asIdentity, liveness, selfIdentity } from '../system/identity.ts';
import { ownFolder } from './site.ts';
import type { Site } from './site.ts';
import { isGone, statOf } from './stamp.ts';

export interface Pass {
  readonly id: string;
  /** In the git directory: `lock`, `index.old`, `index.new`, `record.json`. */
  readonly folder: string;
  /** On the work tree's file system: `incoming/<path>` and `displaced/<slot>`. */
  readonly files: string;
}

/** A folder without an owner in it that is older than this was left by a crash. */
const UNBORN_MS = 60_000;

/** Passes of this process that are running now: their owner lives, and yet a recovery in it must wait. */
const running = new Set<string>();

export const passesFolder = (site: Site): string => join(ownFolder(site), 'passes');
export const lockOf = (pass: Pass): string => join(pass.folder, 'lock');
export const indexOf = (pass: Pass, which: 'old' | 'new'): string => join(pass.folder, `index.${which}`);
export const incomingFolder = (pass: Pass): string => join(pass.files, 'incoming');
export const displacedFolder = (pass: Pass): string => join(pass.files, 'displaced');
export const isRunning = (id: string): boolean => running.has(id);

/** Where exchanged files of passes stand. Made when it is not there; throws `refused` where it would lie behind a symlink. */
export function filesHome(site: Site): string {
  mkdirSync(passesFolder(site), { recursive: true });
  if (statSync(passesFolder(site)).dev === statSync(site.root).dev) return passesFolder(site);
  const hidden = join(site.root, '.cambium');
  if (statOf(hidden)?.kind === 'symlink') {
    throw new CambiumError('refused', `${hidden} is a symlink: files cannot be exchanged through it.`, { hint: 'Make it a folder.' });
  }
  mkdirSync(join(hidden, 'passes'), { recursive: true });
  writeFileSync(join(hidden, 'passes', '.gitignore'), '*\n');
  return join(hidden, 'passes');
}

export function openPass(site: Site): Pass {
  const id = site.clock.ulid().toLowerCase();
  const pass: Pass = { id, folder: join(passesFolder(site), id), files: join(filesHome(site), id) };
  running.add(id);
  // It appears under its name with its owner in it, so that no other process takes it for an abandoned one.
  const unborn = join(passesFolder(site), `.${id}`);
  mkdirSync(unborn);
  writeFileSync(join(unborn, 'lock'), JSON.stringify(selfIdentity()), { flush: true });
  renameSync(unborn, pass.folder);
  mkdirSync(incomingFolder(pass), { recursive: true });
  mkdirSync(displacedFolder(pass), { recursive: true });
  return pass;
}

export function knownPasses(site: Site): Pass[] {
  return foldersOfPasses(site).filter(({ id }) => !id.startsWith('.'));
}

/** Removes what a crash left of a pass that had not got its name yet: there is nothing in it. */
export function removeUnborn(site: Site): void {
  for (const pass of foldersOfPasses(site).filter(({ id }) => id.startsWith('.'))) {
    const owner = ownerOf(pass);
    const ageMs = site.clock.now().getTime() - (statSync(pass.folder, { throwIfNoEntry: false })?.mtimeMs ?? Infinity);
    if (owner === null ? ageMs > UNBORN_MS : isOursOrDead(owner)) removePass(pass);
  }
}

function foldersOfPasses(site: Site): Pass[] {
  try {
    const home = filesHome(site);
    return readdirSync(passesFolder(site), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => ({ id: name, folder: join(passesFolder(site), name), files: join(home, name) }));
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** Who opened the pass; null when the crash came before that was written. */
export function ownerOf(pass: Pass): ProcessIdentity | null {
  try {
    return asIdentity(JSON.parse(readFileSync(lockOf(pass), 'utf8')));
  } catch {
    return null;
  }
}

/** True when that process is this one, or provably gone. False while it runs, and when nobody can tell (another container). */
export function isOursOrDead(owner: ProcessIdentity): boolean {
  const self = selfIdentity();
  const isSelf = owner.pid === self.pid && owner.start === self.start && owner.boot_id === self.boot_id && owner.namespace === self.namespace;
  return isSelf || liveness(owner) === 'dead';
}

/** Ends a pass: what it prepared goes, what it displaced stays until it was looked at again (`displaced.ts`). */
export function closePass(pass: Pass): void {
  removeFolder(incomingFolder(pass));
  for (const path of [indexOf(pass, 'new'), indexOf(pass, 'old'), lockOf(pass)]) rmSync(path, { force: true });
  if (displacedNames(pass).length === 0) removePass(pass);
  running.delete(pass.id);
}

/** The pass does not run any more, and is not ended: a recovery may take it up. */
export function stopPass(pass: Pass): void {
  running.delete(pass.id);
}

export function removePass(pass: Pass): void {
  removeFolder(pass.files);
  removeFolder(pass.folder);
  running.delete(pass.id);
}

// A git that outlived its killed parent may still be writing there: then it takes another try.
const removeFolder = (path: string): void => rmSync(path, { recursive: true, force: true, maxRetries: 5 });

export function displacedNames(pass: Pass): string[] {
  try {
    return readdirSync(displacedFolder(pass));
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

