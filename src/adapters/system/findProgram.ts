/** Looking a program up on PATH, as a shell would. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** True when PATH leads to an executable file of that name. */
export async function findProgram(name: string): Promise<boolean> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder === '' ? '.' : folder, name);
    const found = await stat(path).catch(() => null);
    if (found?.isFile() === true && (await access(path, constants.X_OK).then(() => true, () => false))) return true;
  }
  return false;
}
