/**
 * A person's saved edits below the state paths (PROTOCOL P11): compared with the last-synced tree, never with HEAD or
 * the hub's main, because on an older commit that would show landed results as the person's deletions.
 */
import type { FileMode } from '../../model/git.ts';
import type { Oid } from '../../model/ids.ts';
import type { CheckoutEdit, CheckoutEdits } from '../../ports/checkout.ts';
import { Contents, isRead } from './content.ts';
import type { Content } from './content.ts';
import { filterJudge } from './filters.ts';
import { Ignored } from './ignore.ts';
import { MachineFolders } from './machineFolders.ts';
import { sparseJudge } from './sparse.ts';
import type { Look } from './look.ts';
import { scanFiles, scanState } from './scan.ts';
import type { Scan } from './scan.ts';
import { Settling } from './settle.ts';
import type { ReadSettings, Settings } from './settings.ts';
import { signatureOf } from './signature.ts';
import type { Site } from './site.ts';
import { stampOf } from './stamp.ts';

/** A state file is text that people and agents read; above this size (bytes) it is not published. */
export const FILE_BYTES_MAX = 1_048_576;

const NONE: CheckoutEdits = { edits: [], unsettled: [], refused: [] };

interface Report {
  readonly edits: CheckoutEdit[];
  readonly unsettled: string[];
  readonly refused: { readonly path: string; readonly reason: string }[];
}

type Scanned = Scan['files'][number];
type MayFilter = (path: string) => boolean;
export type FindEdits = (synced: Oid, full: boolean) => Promise<CheckoutEdits>;

/** The search for edits, with its memory between calls. */
export function editFinder(site: Site, look: Look, readSettings: ReadSettings): FindEdits {
  const finder = new Finder(site, readSettings);
  return async (synced, full) => {
    if ((await look()).state !== 'ready') return NONE;
    const before = signatureOf(site);
    const found = await finder.find(synced, full);
    // A checkout or a pull of the person's may have run under the walk: what it saw then is no edit.
    if ((await look()).state === 'ready' && signatureOf(site) === before) return found;
    return { ...NONE, unsettled: [...found.edits.map(({ path }) => path), ...found.unsettled] };
  };
}

class Finder {
  readonly #site: Site;
  readonly #readSettings: ReadSettings;
  readonly #settling = new Settling();
  readonly #ignored: Ignored;
  readonly #contents: Contents;
  readonly #machineFolders: MachineFolders;

  constructor(site: Site, readSettings: ReadSettings) {
    this.#site = site;
    this.#readSettings = readSettings;
    this.#ignored = new Ignored(site);
    this.#contents = new Contents(site);
    this.#machineFolders = new MachineFolders(site);
  }

  async find(synced: Oid, full: boolean): Promise<CheckoutEdits> {
    // The person's global ignore file is not watched: a full look asks again.
    this.#ignored.startLook(full);
    const settings = await this.#readSettings();
    const mayFilter = filterJudge(this.#site, settings);
    const scan = await this.#scan(synced, full, settings);
    const report: Report = { edits: [], unsettled: [], refused: scan.refused };
    const contents = await this.#contents.of(scan.files, full, mayFilter);
    const changed = scan.files.filter((file) => isChanged(file, contents.get(file.path) ?? null, settings));
    const rested = this.#rested(await this.#withoutIgnored(scan, changed), contents, report);
    await this.#storeEdits(rested, mayFilter, settings, report);
    await this.#judgeMissing(scan, settings, report);
    this.#settling.endLook();
    this.#machineFolders.keep([...report.edits, ...report.refused].map(({ path }) => path).concat(report.unsettled));
    return report;
  }

  async #scan(synced: Oid, full: boolean, settings: Settings): Promise<Scan> {
    const passOver = this.#machineFolders.passedOver(settings);
    const scan = await scanState(this.#site, synced, { skipFolder: (folder) => this.#ignored.knows(folder), passOver, leftOut: settings.leftOut.folders });
    await scanFiles(this.#site, synced, await this.#machineFolders.touched(passOver, full), scan);
    return scan;
  }

  async #withoutIgnored(scan: Scan, changed: readonly Scanned[]): Promise<Scanned[]> {
    const fresh = changed.filter(({ synced }) => synced === null).map(({ path }) => path);
    const ignored = await this.#ignored.among([...scan.newFolders, ...fresh], scan.ignoreStamps);
    return changed.filter(({ path, synced }) => synced !== null || !ignored.has(path));
  }

  /** The changed files that can be published and have come to rest; the others are reported. */
  #rested(changed: readonly Scanned[], contents: ReadonlyMap<string, Content>, report: Report): Scanned[] {
    const nowMs = this.#site.clock.bootMs();
    return changed.filter(({ path, stat }) => {
      const content = contents.get(path) ?? null;
      // Emptied is what a file is between an editor's truncation and its write.
      const waitMs = stat.size === 0 ? this.#site.halfSavedMs : this.#site.settleMs;
      const rests = this.#settling.rests(path, stampOf(stat), waitMs, nowMs);
      if (content !== null && 'trouble' in content) report.refused.push({ path, reason: content.trouble });
      else if (stat.size > FILE_BYTES_MAX) report.refused.push({ path, reason: `it has ${stat.size} bytes, more than ${FILE_BYTES_MAX}` });
      else if (!rests || content === null) report.unsettled.push(path);
      else return true;
      return false;
    });
  }

  async #storeEdits(rested: readonly Scanned[], mayFilter: MayFilter, settings: Settings, report: Report): Promise<void> {
    const stored = await this.#contents.store(rested, mayFilter);
    for (const file of rested) {
      const content = stored.get(file.path) ?? null;
      if (isRead(content) && content.stamp === stampOf(file.stat)) {
        report.edits.push({ path: file.path, mode: modeOf(file, settings), oid: content.oid });
      } else if (content !== null && 'trouble' in content) report.refused.push({ path: file.path, reason: content.trouble });
      else report.unsettled.push(file.path);
    }
  }

  async #judgeMissing(scan: Scan, settings: Settings, report: Report): Promise<void> {
    if (scan.missing.length === 0) return;
    const isLeftOut = await sparseJudge(this.#site, settings);
    const nowMs = this.#site.clock.bootMs();
    for (const { path } of scan.missing) {
      if (isLeftOut(path)) continue;
      // An editor that saves by renaming its backup leaves the path empty for a moment.
      if (this.#settling.rests(path, 'missing', this.#site.halfSavedMs, nowMs)) report.edits.push({ path, mode: null, oid: null });
      else report.unsettled.push(path);
    }
  }
}

function isChanged(file: Scanned, content: Content, settings: Settings): boolean {
  return !isRead(content) || file.synced === null || content.oid !== file.synced.oid || modeOf(file, settings) !== file.synced.mode;
}

function modeOf({ stat, synced }: Scanned, settings: Settings): FileMode {
  // A symlink that stands as a file, because this file system has none, is still the symlink it was.
  if (!settings.symlinks && synced?.mode === '120000') return '120000';
  if (!settings.fileMode) return synced?.mode ?? '100644';
  return stat.executable ? '100755' : '100644';
}
