/**
 * The high-water marks of the archive refs (PROTOCOL P8). Their objects are fetched only when somebody looks into them, so
 * no local ref can stand for them; their oids are kept as a record of the clone. The first sight of a month records it.
 */
import type { Oid } from '../model/ids.ts';
import { ARCHIVE_PREFIX } from '../model/layout.ts';
import type { Local } from '../ports/local.ts';

export interface ArchiveMarks {
  get(ref: string): Oid | undefined;
  /** Archive refs of a listing that no longer stand at their mark: the new tip must contain it. */
  moved(listed: ReadonlyMap<string, Oid>): ReadonlyMap<string, Oid>;
  /** Marked refs that a listing lacks. */
  gone(listed: ReadonlyMap<string, Oid>): readonly string[];
  /** Records a listing that was checked. Durable before it resolves. */
  note(listed: ReadonlyMap<string, Oid>): Promise<void>;
}

/** The marks of another hub say nothing about this one: `join` moves a clone from one to the other. */
interface Kept {
  readonly hub: string;
  readonly tips: Readonly<Record<string, Oid>>;
}

const KEY = 'archive-marks';

export async function openArchiveMarks(local: Local, hub: string): Promise<ArchiveMarks> {
  const kept = (await local.read(KEY)) as Partial<Kept> | null | undefined;
  const marks = new Map(kept?.hub === hub ? Object.entries(kept.tips ?? {}) : []);
  return {
    get: (ref) => marks.get(ref),
    moved: (listed) => new Map([...marks].flatMap(([ref, mark]): [string, Oid][] => {
      const now = listed.get(ref);
      return now === undefined || now === mark ? [] : [[ref, now]];
    })),
    gone: (listed) => [...marks.keys()].filter((ref) => !listed.has(ref)),
    async note(listed) {
      const news = [...listed].filter(([ref, oid]) => ref.startsWith(ARCHIVE_PREFIX) && marks.get(ref) !== oid);
      if (news.length === 0) return;
      for (const [ref, oid] of news) marks.set(ref, oid);
      await local.write(KEY, { hub, tips: Object.fromEntries(marks) } satisfies Kept);
    },
  };
}
