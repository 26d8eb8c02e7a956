/** What belongs to the package that this build is part of: its version, its templates. */
import { readFileSync } from 'node:fs';

/** A text file of the package by its path there: `templates/task.md`. */
export function packageFile(path: string): string {
  return readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
}

/** As `packageFile`, for one that may not be there: null then. `path` is made of names that were checked. */
export function shippedFile(path: string): string | null {
  try {
    return packageFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

export function packageVersion(): string {
  const text = packageFile('package.json');
  return (JSON.parse(text) as { version: string }).version;
}
