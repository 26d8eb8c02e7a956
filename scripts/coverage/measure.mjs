// Runs a command whose programs leave dumps, and digests them while it runs.
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { loadExecuted, openDumps, saveExecuted } from './dumps.mjs';

const COLLECT_EVERY_MS = 2_000;

/**
 * Adds what the command's programs ran to `executed.json` of the folder.
 * @param {string} folder
 * @param {readonly string[]} command an argument vector
 * @returns {Promise<number>} the command's exit code
 */
export async function measure(folder, [program, ...args], cwd) {
  const [saved, dumpsFolder] = [join(folder, 'executed.json'), join(folder, 'dumps')];
  const executed = loadExecuted(saved);
  const dumps = openDumps(dumpsFolder, executed);
  // Setup files of the tests hand the folder on to the programs that they start.
  const child = spawn(program, args, { cwd, stdio: 'inherit', env: { ...process.env, CAMBIUM_COVERAGE_DUMPS: dumpsFolder } });
  const timer = setInterval(() => dumps.collect(false), COLLECT_EVERY_MS);
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', (exit) => resolve(exit ?? 1)));
  clearInterval(timer);
  dumps.collect(true);
  saveExecuted(saved, executed);
  rmSync(dumpsFolder, { recursive: true, force: true });
  console.log(`${dumps.counts.read} programs told what they ran${dumps.counts.broken === 0 ? '' : `, ${dumps.counts.broken} were cut off`}`);
  return code;
}
