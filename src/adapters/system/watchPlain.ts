/** A watch of one folder by the system's own means: what a large folder gets instead of chokidar. */
import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';

/** One folder, not what is below it. Null where the system gives no watch (limits, rights): the rescan sees it. */
export function watchPlain(folder: string, onEvent: (name: string | null) => void): FSWatcher | null {
  try {
    return watch(folder, { persistent: true }, (_, name) => onEvent(name)).on('error', () => undefined);
  } catch {
    return null;
  }
}
