/** Folders and waiting for tests. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TempDir {
  readonly path: string;
  remove(): void;
}

/** A folder of its own; `remove` it afterwards. */
export function tempDir(name: string): TempDir {
  const path = realpathSync(mkdtempSync(join(tmpdir(), `cambium-${name}-`)));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }) };
}

/** Polls until `look` gives something other than null; throws after `timeoutMs`. */
export async function until<T>(look: () => Promise<T | null> | T | null, timeoutMs = 15_000): Promise<T> {
  for (const end = performance.now() + timeoutMs; ; ) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > end) throw new Error('what was waited for did not come');
    await new Promise((resolve) => void setTimeout(resolve, 20));
  }
}
