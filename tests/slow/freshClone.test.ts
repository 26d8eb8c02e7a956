/** What anybody does first: `git clone`, one command, and the shipped examples have run for real. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanEnv } from '../support/cli.ts';
import { run } from '../support/fleet.ts';
import { gitIn, tempDir } from '../support/repo.ts';
import type { Ran } from '../support/cli.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const isRepository = existsSync(join(ROOT, '.git'));
const registry = spawnSync('npm', ['ping', '--fetch-retries=0', '--fetch-timeout=5000'], { cwd: ROOT, env: cleanEnv(), stdio: 'ignore', timeout: 20_000 }).status === 0;
const EXAMPLES = ['example-hello', 'example-data', 'example-manifest'];

describe.skipIf(!isRepository || !registry)('a fresh clone of this repository (skipped where the registry does not answer)', () => {
  const dir = tempDir('fresh-clone');
  const clone = join(dir.path, 'cambium');
  let started: Ran;

  beforeAll(async () => {
    gitIn(dir.path, ['clone', '--quiet', '--no-hardlinks', ROOT, clone]);
    gitIn(clone, ['config', 'user.name', 'A Visitor']);
    gitIn(clone, ['config', 'user.email', 'visitor@example.org']);
    const installed = await run('npm', ['ci', '--no-audit', '--no-fund'], clone);
    if (installed.exit !== 0) throw new Error(`npm ci ended with ${installed.exit}:\n${installed.stdout}${installed.stderr}`);
    started = await run('npm', ['start', '--', '--until-idle'], clone);
  }, 280_000);

  afterAll(() => dir.remove());

  it('`npm ci && npm start` ends with 0 and the three examples have landed', () => {
    expect({ exit: started.exit, said: started.stdout + started.stderr }).toMatchObject({ exit: 0 });
    for (const id of EXAMPLES) expect(gitIn(clone, ['show', `HEAD:tasks/${id}.result.md`]), id).toMatch(/^outcome: done$/m);
    expect(gitIn(clone, ['show', 'HEAD:examples/hello.txt'])).toBe('Hello from cambium!');
    expect(gitIn(clone, ['show', 'HEAD:examples/manifest.txt']).split('\n')).toEqual(['data.json', 'hello.txt']);
  });

  it('it says what was done, the commits made and what to do next', () => {
    for (const id of EXAMPLES) expect(started.stdout).toContain(id);
    expect(started.stdout).toContain(gitIn(clone, ['rev-parse', '--short=8', 'HEAD']));
    expect(started.stdout).toMatch(/drop a (Markdown )?file into tasks\//);
  });

  it('git status is clean, nothing was pushed anywhere, and a second start finds nothing to do', async () => {
    expect(gitIn(clone, ['status', '--porcelain'])).toBe('');
    const [head, origin] = ['HEAD', 'refs/remotes/origin/HEAD'].map((ref) => gitIn(clone, ['rev-parse', ref]));
    expect(gitIn(ROOT, ['cat-file', '-t', origin as string])).toBe('commit');
    expect(spawnSync('git', ['cat-file', '-e', head as string], { cwd: ROOT, stdio: 'ignore' }).status).not.toBe(0);
    expect(await run('npm', ['start', '--', '--until-idle'], clone)).toMatchObject({ exit: 0 });
    expect(gitIn(clone, ['rev-parse', 'HEAD'])).toBe(head);
  });
});
