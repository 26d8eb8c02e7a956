/** `cambium lock|unlock|reserve|unreserve` and `hook install`, as people and agents type them. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cli, cliJson } from '../support/cli.ts';
import type { Ran } from '../support/cli.ts';
import { gitIn } from '../support/repo.ts';
import { makeWorkspace } from '../support/workspace.ts';
import type { TestWorkspace } from '../support/workspace.ts';

let workspace: TestWorkspace;
beforeAll(async () => {
  workspace = await makeWorkspace();
});
afterAll(() => workspace.remove());

const as = (agent: string | null, node = 'vm') => ({ cwd: workspace.root, env: { CAMBIUM_NODE: node, ...(agent === null ? {} : { CAMBIUM_AGENT: agent }) } });
const say = (agent: string | null, ...args: readonly string[]): Promise<Ran> => cli(args, as(agent));
const ask = <T = Record<string, unknown>>(agent: string | null, ...args: readonly string[]) => cliJson<T>(args, as(agent));

interface Status {
  readonly name: string;
  readonly holder: string;
  readonly globs: readonly string[];
  readonly lapses_in_s: number;
}

const held = async (): Promise<readonly Status[]> => (await ask<{ readonly locks: readonly Status[] }>(null, 'lock', 'list')).data.locks;

describe('a named lock', () => {
  test('is one party\'s, and says so, and says that it is advisory', async () => {
    const taken = await say('worker-1', 'lock', 'deploy', '--why', 'release 1.2', '--ttl', '30s');
    expect([taken.exit, taken.stdout.split('\n')[0]]).toEqual([0, 'The lock deploy is yours for 30 s (epoch 1). Advisory: it keeps out whoever asks, and nobody else.']);
    const lost = await ask('rita', 'lock', 'deploy');
    expect(lost).toMatchObject({ exit: 1, error: { code: 'refused', message: 'The lock deploy is not free: agent:worker-1 on vm holds it (epoch 1): release 1.2.', data: { holder: 'agent:worker-1' } } });
    expect(lost.error.hint).toMatch(/this clone may take it in \d+ s: the same command then\.$/);
    expect(await ask('worker-1', 'lock', 'deploy')).toMatchObject({ data: { kind: 'renew', epoch: 1, ttl_s: 600 } });
    expect(await held()).toMatchObject([{ name: 'deploy', holder: 'agent:worker-1', globs: [] }]);
  });

  test('is taken from its holder by a person only, who says why', async () => {
    expect(await ask('rita', 'lock', 'deploy', '--force', '--why', 'mine')).toMatchObject({ exit: 1, error: { code: 'refused', message: 'Only a person takes a lock from somebody.' } });
    expect(await ask(null, 'unlock', 'deploy', '--force')).toMatchObject({ exit: 2, error: { code: 'usage' } });
    expect(await ask(null, 'lock', 'deploy', '--force', '--why', 'its machine burnt')).toMatchObject({ data: { epoch: 2, by: expect.stringMatching(/^human:/) as string, reason: 'taken from agent:worker-1 on vm: its machine burnt' } });
    expect(gitIn(join(workspace.root, '.git/cambium/hub.git'), ['log', '--format=%s', 'refs/cambium/locks/deploy']).split('\n')).toHaveLength(3);
  });

  test('is given back by its holder, and free then', async () => {
    expect(await ask('worker-1', 'unlock', 'deploy')).toMatchObject({ exit: 1, error: { code: 'refused' } });
    expect(await ask(null, 'unlock', 'deploy')).toMatchObject({ data: { name: 'deploy', released: true } });
    expect((await say(null, 'unlock', 'deploy')).stdout).toBe('The lock deploy was free already.\n');
    expect(await ask('rita', 'lock', 'deploy')).toMatchObject({ data: { epoch: 3, holder: 'agent:rita' } });
    expect((await say('rita', 'unlock', '--all')).stdout).toBe('Given back: deploy.\n');
  });

  test.each([['landing'], ['paths'], ['Deploy'], ['../x']])('is not called %s', async (name) => {
    expect(await ask(null, 'lock', name)).toMatchObject({ exit: 2, error: { code: 'usage' } });
  });

  test('whose holder is silent is taken once this clone has waited for it, and not by an old time in its record', async () => {
    await ask('worker-1', 'lock', 'brief', '--ttl', '1s');
    expect(await ask('rita', 'lock', 'brief')).toMatchObject({ exit: 1 });
    // What the clone remembers of its watch says that the wait is over: as if the time had passed.
    const path = join(workspace.root, '.git/cambium/local/locks.json');
    const watch = JSON.parse(readFileSync(path, 'utf8')) as { readonly boot: string; readonly since: Record<string, number> };
    writeFileSync(path, JSON.stringify({ ...watch, since: Object.fromEntries(Object.keys(watch.since).map((op) => [op, watch.since[op] as number - 60_000])) }));
    expect(await held()).toMatchObject([{ name: 'brief', lapses_in_s: 0 }]);
    expect(await ask('rita', 'lock', 'brief')).toMatchObject({ data: { epoch: 2, holder: 'agent:rita', reason: 'the hold of agent:worker-1 on vm had lapsed' } });
    await say('rita', 'unlock', '--all');
  });
});

describe('reserved paths', () => {
  test('are refused to others where any path could be both\'s', async () => {
    expect((await say('worker-1', 'reserve', 'src/api/**', 'docs/*.md', '--why', 'rework')).exit).toBe(0);
    expect(await ask('rita', 'reserve', 'src/**/index.ts')).toMatchObject({ exit: 1, error: { message: 'These paths are not free: agent:worker-1 on vm has reserved src/api/**, docs/*.md (rework).' } });
    expect(await ask('rita', 'reserve', 'src/web/**')).toMatchObject({ exit: 0 });
    expect((await held()).map(({ holder, globs }) => [holder, ...globs])).toEqual([['agent:worker-1', 'src/api/**', 'docs/*.md'], ['agent:rita', 'src/web/**']]);
    expect((await say('worker-1', 'unreserve', 'docs/*.md')).stdout).toBe('Given back.\n');
    expect((await say('worker-1', 'unlock', '--all')).stdout).toBe('Given back: paths.\n');
    expect((await say('worker-1', 'unreserve')).stdout).toBe('You had reserved nothing of the kind.\n');
    expect((await held()).map(({ holder }) => holder)).toEqual(['agent:rita']);
  });

  test.each([['/etc/**'], ['../x'], ['']])('are paths of the tree: %j is none', async (glob) => {
    expect(await ask(null, 'reserve', glob)).toMatchObject({ exit: 2, error: { code: 'usage' } });
  });
});

describe('hook install', () => {
  const install = (name: string): Promise<Ran> => say(null, 'hook', 'install', '--for', name);

  test.each([['claude', '.claude/settings.json', 'Stop'], ['codex', '.codex/hooks.json', 'Stop'], ['gemini', '.gemini/settings.json', 'AfterAgent']])('of %s', async (name, path, event) => {
    expect((await install(name)).stdout).toContain(`Wrote ${path}: `);
    const text = readFileSync(join(workspace.root, path), 'utf8');
    expect(JSON.parse(text)).toMatchObject({ hooks: { [event]: [{ hooks: [{ type: 'command', command: `cambium hook stop --for ${name}` }] }] } });
    expect((await install(name)).stdout).toContain(`${path} has them all already.`);
    expect(readFileSync(join(workspace.root, path), 'utf8')).toBe(text);
  });

  test('leaves what is there as it is, and adds what is missing', async () => {
    const path = join(workspace.root, '.claude/settings.json');
    const mine = { permissions: { allow: ['Bash(ls)'] }, hooks: { Stop: [{ hooks: [{ type: 'command', command: 'say done' }] }], Notification: [] } };
    writeFileSync(path, JSON.stringify(mine));
    expect((await install('claude')).stdout).toContain('Added to .claude/settings.json; what was there stays as it was: SessionStart, UserPromptSubmit, PreToolUse, Stop, SessionEnd.');
    const now = JSON.parse(readFileSync(path, 'utf8')) as typeof mine;
    expect([now.permissions, now.hooks.Stop[0], now.hooks.Notification]).toEqual([mine.permissions, mine.hooks.Stop[0], []]);
    expect(now.hooks.Stop).toHaveLength(2);
  });

  test.each([['{ // mine\n }'], ['[]'], ['{"hooks":[]}'], ['{"hooks":{"Stop":"x"}}']])('touches no file that it cannot merge: %s', async (text) => {
    const path = join(workspace.root, '.claude/settings.json');
    writeFileSync(path, text);
    expect(await ask(null, 'hook', 'install', '--for', 'claude')).toMatchObject({ exit: 1, error: { code: 'refused' } });
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  test('is not for the framework\'s own repository, where people develop it', async () => {
    const own = await makeWorkspace({ 'package.json': '{"name":"cambium"}', 'src/cli.ts': '// it\n' });
    try {
      expect(await cliJson(['hook', 'install', '--for', 'claude'], { cwd: own.root })).toMatchObject({ exit: 1, error: { code: 'refused' } });
      expect((await cli(['init', '.'], { cwd: own.root })).exit).toBe(0);
      expect(existsSync(join(own.root, '.claude'))).toBe(false);
      expect(existsSync(join(own.root, 'self-model.md'))).toBe(true);
    } finally {
      await own.remove();
    }
  });

  test('comes with init in a person\'s workspace', async () => {
    const fresh = join(dirname(workspace.root), 'fresh');
    mkdirSync(fresh);
    expect((await cli(['init', fresh], { cwd: fresh, env: { GIT_AUTHOR_NAME: 'm', GIT_AUTHOR_EMAIL: 'm@example.org', GIT_COMMITTER_NAME: 'm', GIT_COMMITTER_EMAIL: 'm@example.org' } })).exit).toBe(0);
    expect(readFileSync(join(fresh, '.claude/settings.json'), 'utf8')).toContain('cambium hook session-start --for claude');
  });
});
