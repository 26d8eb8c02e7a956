/**
 * Small durable JSON records below a folder of the clone's git directory. A key is a path (`runs/add-login.2`
 * is `runs/add-login.2.json`); what a crash left half written has another name and is swept.
 */
import { mkdir, readFile, readdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CambiumError } from '../../errors.ts';
import type { Local } from '../../ports/local.ts';
import { TEMPORARY, errnoOf, syncFolder, writeWhole } from './durable.ts';
import { checkedKey, isBelow } from './localKey.ts';

const ENDING = '.json';
/** A temporary file this old has no writer any more. */
const SWEEP_AGE_MS = 3_600_000;

/** `read` of a key that was never written, or was removed, gives undefined. Throws `bad-file`, `disk-full`. */
export function openLocal(dir: string): Local {
  const pathOf = (key: string): string => join(dir, `${checkedKey(key)}${ENDING}`);
  const queues = new Map<string, Promise<void>>();
  /** Writes of one key happen in the order they were asked for. */
  const inOrder = (key: string, step: () => Promise<void>): Promise<void> => {
    const turn = (queues.get(key) ?? Promise.resolve()).then(step, step);
    queues.set(key, turn);
    const forget = (): void => void (queues.get(key) === turn && queues.delete(key));
    turn.then(forget, forget);
    return turn;
  };
  return {
    read: (key) => readRecord(pathOf(key)),
    write: async (key, value) => {
      // Taken now: the caller may change the object before its turn comes.
      const text = `${JSON.stringify(value ?? null)}\n`;
      await inOrder(key, () => writeRecord(dir, pathOf(key), text));
    },
    remove: (key) => inOrder(key, () => removeRecord(pathOf(key))),
    list: (prefix) => listRecords(dir, prefix),
  };
}

async function readRecord(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw cause;
  });
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CambiumError('bad-file', `${path} is damaged: it holds no JSON.`, { hint: 'Move the file away; the node makes it anew.', data: { path }, cause });
  }
}

async function writeRecord(dir: string, path: string, text: string): Promise<void> {
  const folder = dirname(path);
  const made = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (made !== undefined) await syncNewFolders(made, folder);
  await sweep(dir, folder);
  await writeWhole(path, text);
}

/** A folder's own entry must survive a power cut as well as the file in it. */
async function syncNewFolders(made: string, folder: string): Promise<void> {
  for (let at = folder; ; at = dirname(at)) {
    await syncFolder(dirname(at));
    if (at === made || at === dirname(at)) return;
  }
}

const swept = new Set<string>();

/** Once a folder in the life of a process. */
async function sweep(dir: string, folder: string): Promise<void> {
  if (swept.has(folder) || !folder.startsWith(dir)) return;
  swept.add(folder);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(TEMPORARY)) continue;
    const { mtimeMs } = await stat(join(folder, name)).catch(() => ({ mtimeMs: Infinity }));
    if (Date.now() - mtimeMs > SWEEP_AGE_MS) await unlink(join(folder, name)).catch(() => undefined);
  }
}

async function removeRecord(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return;
    throw cause;
  }
  await syncFolder(dirname(path));
}

async function listRecords(dir: string, prefix: string): Promise<readonly string[]> {
  const names = await readdir(dir, { recursive: true }).catch((cause: unknown) => {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw cause;
  });
  const keys = names.filter((name) => name.endsWith(ENDING)).map((name) => name.slice(0, -ENDING.length));
  return keys.filter((key) => !key.split('/').some((part) => part.startsWith('.')) && isBelow(key, prefix)).toSorted();
}
