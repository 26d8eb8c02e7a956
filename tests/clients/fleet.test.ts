/** The real CLIs through the whole of cambium: claim, read, edit with their own tools, verify red then green, land. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { cli, cliJson, startCli } from '../support/cli.ts';
import type { Running } from '../support/cli.ts';
import { livingWithMark } from '../contracts/supervisor.ts';
import { gitIn } from '../support/repo.ts';
import { until } from '../support/temp.ts';
import { stage } from './drive.ts';
import { client } from './install.ts';
import type { Client, ClientName } from './install.ts';
import { modelServer } from './modelServer.ts';
import type { ModelServer } from './modelServer.ts';
import type { Asked, Script } from './script.ts';
import { describeClient } from './scene.ts';

interface Place {
  readonly root: string;
  readonly server: ModelServer;
  readonly env: Readonly<Record<string, string>>;
  onMain(path: string): string;
  spawns(): readonly Record<string, unknown>[];
  up(args?: readonly string[]): Running;
}

const closing: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

const KEYS = { ANTHROPIC_API_KEY: 'sk-ant-dummy-key-for-tests', OPENAI_API_KEY: 'sk-dummy-key-for-tests', GEMINI_API_KEY: 'dummy-gemini-key-for-tests' };

function providerText({ name, program }: Client, { url }: ModelServer): string {
  return `  ${name}: { command: ["${program}"], base_url: "${url}${name === 'codex' ? '/v1' : ''}" }\n`;
}

/** A workspace whose agents are real CLIs that ask a scripted model. */
async function place(clients: readonly Client[], script: Script, { agents, more = '', files = {} }: { readonly agents: string; readonly more?: string; readonly files?: Readonly<Record<string, string>> }): Promise<Place> {
  const server = await modelServer(script);
  const at = stage('fleet');
  closing.push(() => at.remove(), () => server.close());
  const env = { HOME: at.home, GIT_AUTHOR_NAME: 'Maria', GIT_AUTHOR_EMAIL: 'maria@example.org', GIT_COMMITTER_NAME: 'Maria', GIT_COMMITTER_EMAIL: 'maria@example.org', ...KEYS };
  const root = join(at.home, 'workspace');
  expect((await cli(['init', root], { cwd: at.home, env })).exit).toBe(0);
  writeFileSync(join(root, 'cambium.yaml'), `schema: cambium.fleet/1\ntimings: { fetch: 1s, silence: 30s }\nproviders:\n${clients.map((one) => providerText(one, server)).join('')}agents:\n${agents}${more}`);
  for (const [path, text] of Object.entries({ 'docs/style.md': 'Every greeting ends with a full stop.\n', ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  gitIn(root, ['add', '--all']);
  gitIn(root, ['-c', 'user.name=Maria', '-c', 'user.email=maria@example.org', 'commit', '--quiet', '-m', 'the fleet']);
  expect(await cli(['sync'], { cwd: root, env })).toMatchObject({ exit: 0 });
  const hub = join(root, '.git', 'cambium', 'hub.git');
  const onMain = (path: string): string => gitIn(hub, ['cat-file', 'blob', `main:${path}`]);
  return {
    root, server, env, onMain,
    spawns: () => gitIn(hub, ['ls-tree', '-r', '--name-only', 'main', 'agents/spawns']).split('\n').filter((path) => path !== '').map((path) => JSON.parse(onMain(path)) as Record<string, unknown>),
    up(args = ['--until-idle']) {
      const running = startCli(['up', ...args], { cwd: root, env });
      closing.push(async () => {
        running.child.kill('SIGTERM');
        await running.ended;
      });
      return running;
    },
  };
}

const TASK = '---\ntitle: Write the greeting\ncontext_files: [docs/style.md]\nacceptance_criteria: ["greeting.txt greets the world"]\nverify: "grep -qx \'hello world.\' greeting.txt"\nmax_attempts: 1\n---\nWrite a greeting into `greeting.txt`, in the style of docs/style.md.\n';
const REPORT = '---\noutcome: done\ncriteria:\n  - { text: "greeting.txt greets the world", met: true, evidence: "cat greeting.txt: hello world." }\n---\nThe greeting stands in greeting.txt.\n';

const isSecondTurn = ({ prompt }: Asked): boolean => prompt.includes('`verify` was red');

/** Wrong at first; what is said of the red verify is mended. The report is written by the CLI's own tools, where the prompt asks for it. */
const mending: Script = (asked) => [
  { tool: 'bash', command: `printf '%s' 'hello world${isSecondTurn(asked) ? '.' : ''}\n' > greeting.txt` },
  { tool: 'bash', command: `cat > "$CAMBIUM_RESULT_FILE" <<'END'\n${REPORT}END` },
  { text: 'The greeting stands in greeting.txt.', usage: { input: 200, output: 30 } },
];

/** A shell command that leaves the report where it is asked for. */
const REPORTS = `cat > "$CAMBIUM_RESULT_FILE" <<'END'\n${REPORT}END`;
const GREETS = "printf 'hello world.\\n' > greeting.txt";

for (const name of ['claude', 'codex', 'gemini'] as const satisfies readonly ClientName[]) {
  await describeClient(name, (found) => {
    test('claims a task, reads instruction and context, edits, is told of a red verify, mends it, and lands', async () => {
      const at = await place([found], mending, { agents: `  worker-1: { role: worker, provider: ${name} }\n`, files: { 'tasks/greet.md': TASK } });
      const { exit, stdout } = await at.up().ended;
      expect(exit, stdout).toBe(0);
      const result = at.onMain('tasks/greet.result.md');
      expect(at.onMain('greeting.txt')).toBe('hello world.');
      expect(result).toMatch(new RegExp(`outcome: done[\\s\\S]*provider: ${name}`));
      expect(result).toContain('met: true');
      expect(result).toContain('The greeting stands in greeting.txt.');
      const [first] = at.server.turns();
      for (const part of ['Write a greeting into `greeting.txt`', 'Every greeting ends with a full stop.', 'greeting.txt greets the world']) expect(first?.prompt).toContain(part);
      expect(at.server.turns().some(isSecondTurn)).toBe(true);
      const spawns = at.spawns().filter(({ purpose }) => purpose === 'task');
      expect(spawns.map(({ outcome, provider, failure }) => [outcome, provider, failure])).toEqual([['succeeded', name, null], ['succeeded', name, null]]);
      expect(spawns.every(({ session, usage }) => typeof session === 'string' && (usage as { output: number }).output > 0)).toBe(true);
      // The second turn went on in the session of the first.
      expect(new Set(spawns.map(({ session }) => session)).size).toBe(1);
      if (name === 'claude') expect(spawns.every(({ cost_usd }) => (cost_usd as number) > 0)).toBe(true);
      expect(gitIn(at.root, ['status', '--porcelain'])).toBe('');
    });

    test('its hooks fire: the session is told who it is, and a stop without a report is sent back once', async () => {
      const forgetting: Script = (asked) => (asked.prompts.some((prompt) => prompt.includes('Your report is missing')) ? [{ tool: 'bash', command: REPORTS }, { text: 'Reported.' }] : [{ tool: 'bash', command: GREETS }, { text: 'Done.' }]);
      const at = await place([found], forgetting, { agents: `  worker-1: { role: worker, provider: ${name} }\n`, files: { 'tasks/greet.md': TASK } });
      const { exit, stdout } = await at.up().ended;
      expect(exit, stdout).toBe(0);
      expect(at.onMain('tasks/greet.result.md')).toMatch(/outcome: done[\s\S]*met: true/);
      expect(JSON.stringify(at.server.turns()[0]?.body)).toContain('You are the agent worker-1 of a cambium fleet');
      expect(at.server.turns().flatMap(({ prompts }) => prompts).some((prompt) => prompt.includes('Your report is missing'))).toBe(true);
      expect(at.spawns().filter(({ purpose }) => purpose === 'task').length).toBe(1);
    });

    test('killed with -9 in the midst of a tool, it is tried again, and nothing of it is left', async () => {
      let began = 0;
      const slow: Script = ({ prompt }) => (prompt.includes('Write a greeting') && began++ === 0 ? [{ tool: 'bash', command: 'touch began; for i in 1 2 3 4 5 6 7 8 9; do sleep 10; done' }] : [{ tool: 'bash', command: `${GREETS}\n${REPORTS}` }, { text: 'Done.' }]);
      const at = await place([found], slow, { agents: `  worker-1: { role: worker, provider: ${name} }\n`, files: { 'tasks/greet.md': TASK.replace('max_attempts: 1', 'max_attempts: 2') } });
      const daemon = at.up();
      const { data } = await until(async () => {
        const listed = await cliJson<{ spawns: { id: string; state: string }[] }>(['spawn', 'list', '--live'], { cwd: at.root, env: at.env });
        return listed.data.spawns.length > 0 && (await cli(['spawn', 'logs', listed.data.spawns[0]?.id ?? ''], { cwd: at.root, env: at.env })).stdout.includes('touch began') ? listed : null;
      }, 60_000);
      const id = data.spawns[0]?.id ?? '';
      const shown = await cliJson<{ place: { agent: { pid: number } } }>(['spawn', 'show', id], { cwd: at.root, env: at.env });
      process.kill(shown.data.place.agent.pid, 'SIGKILL');
      const { exit, stdout } = await daemon.ended;
      expect(exit, stdout).toBe(0);
      expect(at.onMain('tasks/greet.result.md')).toMatch(/outcome: done[\s\S]*attempts: 2/);
      expect(livingWithMark(id)).toEqual([]);
    });
  });
}

await describeClient('claude', (claude) => {
  test('one that hangs is ended after its silence with all that it started, and told so', async () => {
    const at = await place([claude], [{ hang: true }], { agents: '  worker-1: { role: worker, provider: claude }\n', more: 'timings: { fetch: 1s, silence: 4s }\n'.replace(/^/, '#'), files: { 'tasks/greet.md': TASK } });
    writeFileSync(join(at.root, 'cambium.yaml'), at.onMain('cambium.yaml').replace('silence: 30s', 'silence: 4s'));
    await cli(['sync'], { cwd: at.root, env: at.env });
    const { stdout } = await at.up().ended;
    const [spawn] = at.spawns();
    expect(spawn, stdout).toMatchObject({ outcome: 'failed', failure: 'hung' });
    expect(livingWithMark(String(spawn?.['id']))).toEqual([]);
    expect(at.onMain('tasks/greet.result.md')).toContain('outcome: failed');
  });

  test('a question ends its turn, the work is kept, and the answer goes on in the same session', async () => {
    const asking: Script = ({ prompt }) => (prompt.includes('Use a full stop')
      ? [{ tool: 'bash', command: `test -f draft.txt && rm draft.txt && ${GREETS}\n${REPORTS}` }, { text: 'Done.' }]
      : [{ tool: 'bash', command: "echo draft > draft.txt; printf -- '---\\noutcome: input\\nquestion: Full stop or exclamation mark?\\n---\\n' > \"$CAMBIUM_RESULT_FILE\"" }, { text: 'I ask.' }]);
    const at = await place([claude], asking, { agents: '  worker-1: { role: worker, provider: claude }\n', files: { 'tasks/greet.md': TASK } });
    await at.up().ended;
    const listed = await cliJson<{ tasks: { id: string; state: string; reasons: string[] }[] }>(['task', 'list', '--state', 'input'], { cwd: at.root, env: at.env });
    expect(listed.data.tasks[0]).toMatchObject({ id: 'greet', reasons: [expect.stringContaining('Full stop or exclamation mark?'), expect.anything()] });
    expect((await cli(['answer', 'greet', 'Use a full stop.'], { cwd: at.root, env: at.env })).exit).toBe(0);
    const { exit, stdout } = await at.up().ended;
    expect(exit, stdout).toBe(0);
    expect(at.onMain('tasks/greet.result.md')).toContain('outcome: done');
    const sessions = at.spawns().filter(({ purpose }) => purpose === 'task').map(({ session }) => session);
    expect([sessions.length, new Set(sessions).size]).toEqual([2, 1]);
    // Of one session each spawn is told by itself: the cost of the second is not that of both.
    expect(at.spawns().map(({ cost_usd }) => cost_usd as number).every((cost) => cost === null || cost < 0.01)).toBe(true);
  });

  test('a mention wakes it, and what it says is posted', async () => {
    const at = await place([claude], ({ prompt }) => (prompt.includes('which index') ? { text: 'An index on the date. @human' } : { text: 'Nothing.' }), { agents: '  prime: { role: worker, provider: claude }\n' });
    at.up([]);
    const sent = await cli(['send', '#design @prime which index do we need?', '--wait', '60s'], { cwd: at.root, env: at.env });
    expect([sent.exit, sent.stdout]).toEqual([0, expect.stringContaining('An index on the date. @human')]);
    const [spawn] = at.spawns();
    const talked = await cli(['spawn', 'talk', String(spawn?.['id']), 'which index, again?'], { cwd: at.root, env: at.env });
    expect([talked.exit, talked.stdout]).toEqual([0, expect.stringContaining('An index on the date.')]);
    expect(new Set(at.spawns().map(({ session }) => session)).size).toBe(1);
  });

  test('one that was stopped goes on where it stood: the same session, with the work that it left', async () => {
    let asked = 0;
    const slow: Script = ({ prompt }) => (prompt.includes('Write a greeting') && asked++ === 0
      ? [{ tool: 'bash', command: 'echo draft > draft.txt; for i in 1 2 3 4 5 6 7 8 9; do sleep 10; done' }]
      : [{ tool: 'bash', command: `rm draft.txt && ${GREETS}\n${REPORTS}` }, { text: 'Done.' }]);
    const at = await place([claude], slow, { agents: '  worker-1: { role: worker, provider: claude }\n', files: { 'tasks/greet.md': TASK } });
    const daemon = at.up([]);
    const ask = (...args: readonly string[]): ReturnType<typeof cli> => cli(args, { cwd: at.root, env: at.env });
    const id = await until(async () => {
      const [spawn] = (await cliJson<{ spawns: { id: string }[] }>(['spawn', 'list', '--live'], { cwd: at.root, env: at.env })).data.spawns;
      return spawn !== undefined && (await ask('spawn', 'logs', spawn.id)).stdout.includes('draft') ? spawn.id : null;
    }, 60_000);
    expect([(await ask('pause', 'agent', 'worker-1')).exit, (await ask('spawn', 'stop', id, '--why', 'look first')).exit]).toEqual([0, 0]);
    await until(async () => ((await ask('task', 'list', '--state', 'held')).stdout.includes('greet') ? null : true), 60_000);
    daemon.child.kill('SIGTERM');
    await daemon.ended;
    expect((await ask('resume', 'agent', 'worker-1')).exit).toBe(0);
    const again = await cli(['spawn', 'resume', id], { cwd: at.root, env: at.env });
    expect(again.exit, again.stdout + again.stderr).toBe(0);
    expect(at.onMain('tasks/greet.result.md')).toContain('outcome: done');
    const sessions = at.spawns().filter(({ purpose }) => purpose === 'task').map(({ session }) => session);
    expect([sessions.length, new Set(sessions).size]).toEqual([2, 1]);
  });
});

const all = await Promise.all([client('claude'), client('codex'), client('gemini')]);
const ready = all.filter((one): one is Client => !('unavailable' in one));

test.skipIf(ready.length < 3)('a rate limit moves the same work to the next real CLI, at once and without an attempt', async () => {
  const limited: Script = ({ dialect }) => (dialect === 'anthropic' ? { fail: 429, retryAfterS: 3_600 } : dialect === 'openai' ? { fail: 429, retryAfterS: 3_600, exhausted: true } : [{ tool: 'bash', command: `${GREETS}\n${REPORTS}` }, { text: 'Done.' }]);
  const at = await place(ready, limited, { agents: '  worker-1: { role: worker, provider: claude, fallback: [codex, gemini] }\n', files: { 'tasks/greet.md': TASK } });
  const { exit, stdout } = await at.up().ended;
  expect(exit, stdout).toBe(0);
  expect(at.onMain('tasks/greet.result.md')).toMatch(/outcome: done[\s\S]*attempts: 1[\s\S]*provider: gemini/);
  expect(at.spawns().filter(({ purpose }) => purpose === 'task').map(({ provider, failure }) => [provider, failure]).toSorted()).toEqual([['claude', 'rate_limit'], ['codex', 'rate_limit'], ['gemini', null]]);
  const parks = await cli(['provider', 'list'], { cwd: at.root, env: at.env });
  expect(parks.stdout).toMatch(/claude[\s\S]*parked/);
});
