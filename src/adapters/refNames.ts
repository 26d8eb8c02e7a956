/** Names of refs as `git check-ref-format` has them. Pure. */
import { CambiumError } from '../errors.ts';

// oxlint-disable-next-line no-control-regex -- control characters are what git refuses here
const FORBIDDEN = /[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)|[./]$/;

/** True for a whole name below `refs/`. Abbreviations are never resolved. */
export function isRefName(ref: string): boolean {
  return ref.startsWith('refs/') && !FORBIDDEN.test(ref);
}

/** Throws `internal`: names that come from outside are checked where they enter. */
export function checkRefName(ref: string): void {
  if (!isRefName(ref)) throw new CambiumError('internal', `${JSON.stringify(ref)} is not the whole name of a ref.`, { data: { ref } });
}

/** Throws `internal` unless every name is good and stands once: one transaction moves a ref once. */
export function checkRefUpdates(updates: readonly { readonly ref: string }[]): void {
  const seen = new Set<string>();
  for (const { ref } of updates) {
    checkRefName(ref);
    if (seen.has(ref)) throw new CambiumError('internal', `${ref} stands twice in one transaction.`, { data: { ref } });
    seen.add(ref);
  }
}
