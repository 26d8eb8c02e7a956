/** The real machine: free memory as the system counts it (the limit of a container included), free disk of one folder. */
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Machine } from '../../ports/machine.ts';

const MB = 1024 * 1024;

/** `folder`: where worktrees are made; it need not exist yet. */
export function createSystemMachine(folder: string): Machine {
  return { room: async () => ({ memoryMb: process.availableMemory() / MB, diskMb: await freeDiskMb(folder) }) };
}

/** For an ordinary user: what is reserved for root does not count. The nearest folder that exists stands for one that does not. */
async function freeDiskMb(folder: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return (bavail * bsize) / MB;
  } catch {
    return dirname(folder) === folder ? null : freeDiskMb(dirname(folder));
  }
}
