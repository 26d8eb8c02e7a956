/** The machine a run was made on, as far as it explains the figures. */
import { closeSync, fsyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { run } from './processes.mjs';
import { median } from './stats.mjs';

export async function describeMachine() {
  const git = (await run('git', ['version'])).stdout.trim().replace('git version ', '');
  return {
    cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${distribution()} (${type()} ${release()})`, disk: fileSystem(tmpdir()), fsyncMs: fsyncCost(),
    node: process.version, git, loadBefore: loadavg().map((value) => Number(value.toFixed(2))), at: new Date().toISOString(),
  };
}

export function machineText(machine) {
  return [
    `${machine.cores} cores of ${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.system}, temporary folder on ${machine.disk}`,
    `Node ${machine.node}, git ${machine.git}; an fsync of 1 KiB takes ${machine.fsyncMs.toFixed(2)} ms; load before the run ${machine.loadBefore.join(' ')}; ${machine.at}; build ${machine.build}`,
  ].join('\n');
}

function distribution() {
  try {
    return /^PRETTY_NAME="?(.*?)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? type();
  } catch {
    return type();
  }
}

/** The type of the file system with the longest mount point above the path. */
function fileSystem(path) {
  try {
    const mounts = readFileSync('/proc/mounts', 'utf8').split('\n').map((line) => line.split(' '));
    const above = mounts.filter(([, point]) => point !== undefined && (point === '/' || path === point || path.startsWith(`${point}/`)));
    return above.toSorted((a, b) => b[1].length - a[1].length)[0]?.[2] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

function fsyncCost() {
  const folder = mkdtempSync(join(tmpdir(), 'cambium-fsync-'));
  try {
    const spent = Array.from({ length: 20 }, (_, at) => {
      const file = openSync(join(folder, String(at)), 'w');
      writeSync(file, Buffer.alloc(1_024, at + 1));
      const started = performance.now();
      fsyncSync(file);
      const ms = performance.now() - started;
      closeSync(file);
      return ms;
    });
    return median(spent);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
