/** Looking a program up on PATH, as a shell would. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, resolve } from 'node:path';

/** True when PATH leads to an executable file of that name. */
export async function findProgram(name: string): Promise<boolean> {
  return (await programPath(name)) !== null;
}

/** Absolute path of the executable file to which PATH leads first; null where there is none. */
export async function programPath(name: string): Promise<string | null> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = resolve(folder === '' ? '.' : folder, name);
    const found = await stat(path).catch(() => null);
    if (found?.isFile() === true && (await access(path, constants.X_OK).then(() => true, () => false))) return path;
  }
  return null;
}
