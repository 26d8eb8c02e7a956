/**
 * What an exchange moved aside is kept until a later pass and read again then: an editor that had the file open may
 * have written into the displaced inode. Such bytes are returned as blobs, for a rescue ref; everything else is in the
 * object store already and goes.
 */
import { readdirSync, readlinkSync, rmSync } from 'node:fs';
import type { Oid } from '../../model/ids.ts';
import { displacedPath, undonePath } from './exchange.ts';
import { readIntent, readRecord } from './intent.ts';
import type { Intent, Step } from './intent.ts';
import { bootId } from '../system/identity.ts';
import { displacedFolder, displacedNames, isOursOrDead, isRunning, knownPasses, ownerOf, removePass, removeUnborn } from './pass.ts';
import type { Pass } from './pass.ts';
import type { Site } from './site.ts';
import { bytesOf, rawOidOf, statOf } from './stamp.ts';

export interface Rescued {
  readonly path: string;
  readonly oid: Oid;
}

/** Remembers what it has returned: a file whose bytes were returned stays until the call after that, in this process. */
export class DisplacedFiles {
  readonly #site: Site;
  readonly #returned = new Map<string, Oid>();

  constructor(site: Site) {
    this.#site = site;
  }

  /** Reads all displaced files again; returns the unexpected bytes and removes what has served its time. */
  async collect(): Promise<Rescued[]> {
    const rescued: Rescued[] = [];
    removeUnborn(this.#site);
    const unfinished = readIntent(this.#site)?.pass.id;
    for (const pass of knownPasses(this.#site)) {
      if (pass.id === unfinished || isRunning(pass.id)) continue;
      const record = readRecord(pass);
      if (record !== null) rescued.push(...await this.#collectPass(pass, record));
      else removeAbandoned(pass);
    }
    return rescued;
  }

  async #collectPass(pass: Pass, record: Intent): Promise<Rescued[]> {
    const rescued: Rescued[] = [];
    const ripe = this.#isRipe(record);
    const held = ripe ? heldOpen(displacedFolder(pass)) : null;
    for (const { path, aside, expected } of asideFiles(pass, record.steps)) {
      const stat = statOf(aside);
      if (stat === null || stat.kind === 'folder') continue;
      const oid = rawOidOf(aside, stat.kind, this.#site.store.objectFormat);
      const known = oid !== null && (oid === expected || oid === this.#returned.get(aside));
      if (!known) rescued.push(...await this.#rescue(path, aside));
      else if (held !== null && !held(aside)) rmSync(aside);
    }
    if (displacedNames(pass).length === 0) removePass(pass);
    return rescued;
  }

  async #rescue(path: string, aside: string): Promise<Rescued[]> {
    const bytes = statOf(aside)?.kind === 'symlink' ? Buffer.from(readlinkSync(aside)) : bytesOf(aside);
    // Null: it is being written right now. It stays, and the next call reads it again.
    if (bytes === null) return [];
    const oid = await this.#site.store.writeBlob(bytes);
    this.#returned.set(aside, oid);
    return [{ path, oid }];
  }

  /** An editor's save takes moments: after the half-saved time, or a reboot, nobody begins to write there. */
  #isRipe(record: Intent): boolean {
    if (record.owner.boot_id !== bootId()) return true;
    return this.#site.clock.bootMs() - record.startedBootMs >= this.#site.halfSavedMs;
  }
}

function asideFiles(pass: Pass, steps: readonly Step[]): { path: string; aside: string; expected: Oid | null }[] {
  return steps.flatMap((step) => [
    { path: step.path, aside: displacedPath(pass, step), expected: step.old },
    { path: step.path, aside: undonePath(pass, step), expected: step.next },
  ]);
}

/** A pass that ended before its intent was written has moved nothing. */
function removeAbandoned(pass: Pass): void {
  const owner = ownerOf(pass);
  if (owner !== null && !isOursOrDead(owner)) return;
  if (displacedNames(pass).length === 0) removePass(pass);
}

/**
 * Which files of the folder some process still has open, where the system tells (Linux). A log that is appended to
 * may be held for hours.
 */
function heldOpen(folder: string): (path: string) => boolean {
  const held = new Set<string>();
  for (const pid of namesOf('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const fd of namesOf(`/proc/${pid}/fd`)) {
      const target = linkOf(`/proc/${pid}/fd/${fd}`);
      if (target.startsWith(folder)) held.add(target);
    }
  }
  return (path) => held.has(path);
}

function namesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

