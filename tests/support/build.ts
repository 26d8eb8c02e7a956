/**
 * Builds src/ once for tests that start real programs: Node 20 runs no TypeScript. As a vitest globalSetup it
 * builds before the first test; `distDir()` gives the folder, and builds it where that has not happened.
 *
 * The folder's name is the hash of what it was built from, and it appears by one rename: so any number of test
 * processes may ask at the same time, and an edited source is never run from an old build.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(ROOT, 'node_modules/.cache/cambium');
const KEPT_MS = 3_600_000;

let built: string | undefined;

/** Absolute path of a folder laid out as `dist/` (`cli.js`, `adapters/system/superviseMain.js` …). */
export function distDir(): string {
  built ??= build();
  return built;
}

export default function setup(): void {
  distDir();
}

function build(): string {
  const home = join(CACHE, sourceHash());
  const dist = join(home, 'dist');
  if (!existsSync(dist)) {
    const making = `${home}.${process.pid}`;
    compile(join(making, 'dist'));
    // Below node_modules the project's own package.json no longer applies.
    copyFileSync(join(ROOT, 'package.json'), join(making, 'package.json'));
    symlinkSync(join(ROOT, 'templates'), join(making, 'templates'));
    publish(making, home);
  }
  const now = new Date();
  utimesSync(home, now, now);
  prune();
  return dist;
}

function compile(outDir: string): void {
  mkdirSync(outDir, { recursive: true });
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const ran = spawnSync(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', outDir, '--declaration', 'false', '--sourceMap'], { encoding: 'utf8' });
  // Type errors are the type check's business; here only programs are needed.
  if (!existsSync(join(outDir, 'adapters/system/superviseMain.js'))) throw new Error(`The build for tests failed:\n${ran.stdout}${ran.stderr}`);
  forgetMaps(outDir);
}

/** The maps are for the coverage. A program that names its map would have it read, and dumped, at each start. */
function forgetMaps(outDir: string): void {
  for (const name of readdirSync(outDir, { recursive: true, encoding: 'utf8' })) {
    const path = join(outDir, name);
    if (name.endsWith('.js')) writeFileSync(path, readFileSync(path, 'utf8').replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n'));
  }
}

/** Whoever renames first wins; a second build of the same sources is the same and goes. */
function publish(making: string, home: string): void {
  try {
    renameSync(making, home);
  } catch (cause) {
    rmSync(making, { recursive: true, force: true });
    if (!existsSync(home)) throw cause;
  }
}

function sourceHash(): string {
  const hash = createHash('sha256');
  for (const path of [...sources(), 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'tests/support/build.ts']) hash.update(path).update(readFileSync(join(ROOT, path)));
  return hash.digest('hex').slice(0, 16);
}

function sources(): readonly string[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .map((path) => join('src', path))
    .filter((path) => statSync(join(ROOT, path)).isFile())
    .toSorted();
}

function prune(): void {
  for (const name of readdirSync(CACHE)) {
    const path = join(CACHE, name);
    const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Infinity };
    if (Date.now() - mtimeMs > KEPT_MS) rmSync(path, { recursive: true, force: true });
  }
}
