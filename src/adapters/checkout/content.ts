/** What the scanned files hold, as oids, remembered by stamp: an unchanged file is not read again. */
import { setImmediate } from 'node:timers/promises';
import type { Oid } from '../../model/ids.ts';
import { cleanOids } from './filters.ts';
import type { Cleaned } from './filters.ts';
import type { Scan } from './scan.ts';
import { workPath } from './site.ts';
import type { Site } from './site.ts';
import { bytesOf, codeOf, rawOidOf, stampOf } from './stamp.ts';

// A write in the same tick of the file system's clock as our read would leave the stamp as it is.
const RACY_MS = 50;
const FILES_A_TURN = 200;

type Scanned = Scan['files'][number];

export type Content =
  | { readonly oid: Oid; readonly stamp: string; readonly stored: boolean }
  | { readonly trouble: string }
  /** It changed while it was read. */
  | null;

export class Contents {
  readonly #site: Site;
  #known = new Map<string, Content>();

  constructor(site: Site) {
    this.#site = site;
  }

  /**
   * The content of each file, in the form that git would store. With `full` every file is read; otherwise only
   * those whose stamp is new. Whatever is not among `files` is forgotten.
   */
  async of(files: readonly Scanned[], full: boolean, mayFilter: (path: string) => boolean): Promise<ReadonlyMap<string, Content>> {
    const contents = new Map<string, Content>();
    const toClean: string[] = [];
    for (const [at, file] of files.entries()) {
      if (at % FILES_A_TURN === FILES_A_TURN - 1) await setImmediate();
      const known = this.#known.get(file.path);
      if (!full && isRead(known) && known.stamp === stampOf(file.stat)) contents.set(file.path, known);
      else {
        const raw = this.#raw(file);
        contents.set(file.path, raw);
        // Bytes that are those of the synced blob are no edit, whatever a filter would make of them.
        if (isRead(raw) && raw.oid !== file.synced?.oid && mayFilter(file.path)) toClean.push(file.path);
      }
    }
    for (const [path, cleaned] of await cleanOids(this.#site, toClean, false)) contents.set(path, asContent(cleaned));
    this.#remember(files, contents);
    return contents;
  }

  /** Writes the blobs of changed files to the store. What changed since it was read comes back as null. */
  async store(files: readonly Scanned[], mayFilter: (path: string) => boolean): Promise<ReadonlyMap<string, Content>> {
    const stored = new Map<string, Content>();
    const toClean = files.filter(({ path }) => mayFilter(path) && !this.#isStored(path));
    for (const file of files) {
      if (this.#isStored(file.path)) stored.set(file.path, this.#known.get(file.path) ?? null);
      else if (!mayFilter(file.path)) stored.set(file.path, await this.#write(file));
    }
    for (const [path, cleaned] of await cleanOids(this.#site, toClean.map(({ path }) => path), true)) {
      const file = toClean.find((one) => one.path === path);
      const content = asContent(cleaned);
      stored.set(path, isRead(content) && file !== undefined && content.stamp === stampOf(file.stat) ? { ...content, stored: true } : content);
    }
    for (const [path, content] of stored) if (isRead(content)) this.#known.set(path, content);
    return stored;
  }

  #isStored(path: string): boolean {
    const known = this.#known.get(path);
    return isRead(known) && known.stored;
  }

  #raw({ path, stat }: Scanned): Content {
    const stamp = stampOf(stat);
    try {
      const oid = rawOidOf(workPath(this.#site, path), 'file', this.#site.store.objectFormat, stamp);
      return oid === null ? null : { oid, stamp, stored: false };
    } catch (error) {
      return { trouble: `it cannot be read (${codeOf(error) ?? 'unknown'})` };
    }
  }

  async #write({ path, stat }: Scanned): Promise<Content> {
    const stamp = stampOf(stat);
    const bytes = bytesOf(workPath(this.#site, path), stamp);
    return bytes === null ? null : { oid: await this.#site.store.writeBlob(bytes), stamp, stored: true };
  }

  #remember(files: readonly Scanned[], contents: ReadonlyMap<string, Content>): void {
    const nowMs = this.#site.clock.now().getTime();
    const before = this.#known;
    this.#known = new Map();
    for (const { path, stat } of files) {
      const [content, old] = [contents.get(path), before.get(path)];
      const stored = isRead(old) && isRead(content) && old.stored && old.oid === content.oid && old.stamp === content.stamp;
      if (isRead(content) && Math.abs(nowMs - Number(stat.ctimeNs / 1_000_000n)) > RACY_MS) this.#known.set(path, { ...content, stored });
    }
  }
}

export function isRead(content: Content | undefined): content is Exclude<Content, null | { readonly trouble: string }> {
  return content !== undefined && content !== null && 'oid' in content;
}

function asContent(cleaned: Cleaned): Content {
  return cleaned !== null && 'oid' in cleaned ? { ...cleaned, stored: false } : cleaned;
}
