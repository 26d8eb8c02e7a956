/** Keys of local records. */
import { CambiumError } from '../../errors.ts';

/** Segments of letters, digits, `-`, `_` and dots that do not begin with a dot. Throws `internal`. */
export function checkedKey(key: string): string {
  if (/^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*)(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/.test(key)) return key;
  throw new CambiumError('internal', `${JSON.stringify(key)} is no key of a local record.`);
}

/** The folder a prefix names: `runs` and `runs/` are the same, the empty prefix is all. */
export function isBelow(key: string, prefix: string): boolean {
  const folder = prefix.replace(/\/$/, '');
  return folder === '' || key.startsWith(`${folder}/`);
}
