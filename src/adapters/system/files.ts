/** The few files that commands read and write for a person: reports, instruction texts, a new workspace. */
import { access, appendFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { CambiumError } from '../../errors.ts';

/** A Markdown file, or standard input for `-`. Throws `usage` when it cannot be read. */
export async function readInput(path: string): Promise<string> {
  if (path === '-') return readAll(process.stdin);
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new CambiumError('usage', `The file ${path} cannot be read.`, { hint: 'Name a Markdown file, or - for standard input.', cause });
  });
}

/** Writes a file that does not exist yet; false, and nothing changed, where one does. */
export async function writeNew(path: string, content: string): Promise<boolean> {
  await mkdir(dirname(path), { recursive: true });
  return writeFile(path, content, { flag: 'wx' }).then(() => true, (cause: NodeJS.ErrnoException) => {
    if (cause.code === 'EEXIST') return false;
    throw cause;
  });
}

/** Adds a line at the end of a file, after a blank one where the file exists. */
export async function appendLine(path: string, line: string): Promise<void> {
  const exists = await access(path).then(() => true, () => false);
  await appendFile(path, `${exists ? '\n' : ''}${line}\n`);
}

/** True also where nothing stands at the path. */
export async function isEmptyFolder(path: string): Promise<boolean> {
  const names = await readdir(path).catch((cause: NodeJS.ErrnoException) => (cause.code === 'ENOENT' ? [] : null));
  return names?.length === 0;
}

export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
}

/** Runs the body with a new empty folder, and removes it afterwards. */
export async function withTempFolder<T>(body: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'cambium-'));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
