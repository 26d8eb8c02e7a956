/** The build of an earlier release, made from its tag with this checkout's dependencies: for fleets of two versions. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanEnv } from './cli.ts';
import { gitIn, tempDir } from './repo.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(ROOT, 'node_modules/.cache/cambium');

/** The commit that a release tag of this repository stands for; null in a clone that has no such tag, or not its objects. */
export function releaseCommit(tag: string): string | null {
  try {
    return gitIn(ROOT, ['rev-parse', '--verify', '--quiet', `refs/tags/${tag}^{tree}`]) === '' ? null : gitIn(ROOT, ['rev-parse', `refs/tags/${tag}^{commit}`]);
  } catch {
    return null;
  }
}

/** Absolute path of that release's `dist/`; built once an hour at most, however many tests ask. */
export function oldDist(commit: string): string {
  const home = join(CACHE, `release-${commit.slice(0, 16)}`);
  if (!existsSync(home)) build(commit, home);
  return join(home, 'dist');
}

function build(commit: string, home: string): void {
  const folder = tempDir('release');
  try {
    const source = join(folder.path, 'source');
    gitIn('.', ['clone', '--quiet', '--shared', '--no-checkout', ROOT, source]);
    gitIn(source, ['checkout', '--quiet', '--detach', commit]);
    symlinkSync(join(ROOT, 'node_modules'), join(source, 'node_modules'));
    const built = spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: source, env: cleanEnv(), encoding: 'utf8' });
    if (built.status !== 0) throw new Error(`The build of ${commit} failed:\n${built.stdout}${built.stderr}`);
    publish(source, home);
  } finally {
    folder.remove();
  }
}

/** Beside the builds of this version, below node_modules: there it finds the dependencies. Whoever renames first wins. */
function publish(source: string, home: string): void {
  const making = `${home}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  for (const part of ['dist', 'package.json', 'templates']) cpSync(join(source, part), join(making, part), { recursive: true });
  try {
    renameSync(making, home);
  } catch (cause) {
    rmSync(making, { recursive: true, force: true });
    if (!existsSync(home)) throw cause;
  }
}
