/** `cambium hook …` as agent CLIs call it: real processes, their JSON in and out, a real clone behind them. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cli, cliPath, start } from '../support/cli.ts';
import { gitIn } from '../support/repo.ts';
import { makeWorkspace } from '../support/workspace.ts';
import type { TestWorkspace } from '../support/workspace.ts';

const CONFIG = `schema: cambium.fleet/1
agents:
  worker-1: { role: worker }
  drainer: { role: worker, stop: drain }
  rita: { role: reviewer }
`;
const task = (title: string, front = ''): string => `---\ntitle: ${title}\n${front}---\nDo ${title}.\n`;

let workspace: TestWorkspace;
let root: string;

beforeAll(async () => {
  workspace = await makeWorkspace({
    'cambium.yaml': CONFIG, 'src/old.ts': 'old\n', 'memory/worker-1/working.md': 'The tests need TZ=UTC.\n',
    'tasks/held.md': task('the held one', 'assigned_to: worker-1\nacceptance_criteria: ["Tests pass"]\n'),
  });
  root = workspace.root;
});
afterAll(() => workspace.remove());

interface Said {
  readonly decision?: string;
  readonly reason?: string;
  readonly hookSpecificOutput?: { readonly hookEventName: string; readonly additionalContext?: string; readonly permissionDecision?: string; readonly permissionDecisionReason?: string };
}

interface Call {
  readonly as?: string | null;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

let sessions = 0;
const session = (): string => `session-${(sessions += 1)}`;

/** Whatever comes of it, a hook ends with 0 and prints one JSON object. */
async function hook(name: string, input: unknown, { as = 'worker-1', cwd = root, env = {}, args = [] }: Call = {}): Promise<Said> {
  const ran = await cli(['hook', name, ...args], { cwd, env: { ...(as === null ? {} : { CAMBIUM_AGENT: as }), ...env }, input: typeof input === 'string' ? input : JSON.stringify(input) });
  expect(ran.exit).toBe(0);
  expect(ran.stdout.trim().split('\n')).toHaveLength(1);
  return JSON.parse(ran.stdout) as Said;
}

async function cambium(agent: string | null, ...args: readonly string[]): Promise<Record<string, unknown>> {
  const ran = await cli([...args, '--json'], { cwd: root, env: { ...(agent === null ? {} : { CAMBIUM_AGENT: agent }), CAMBIUM_NODE: 'vm' } });
  const said = JSON.parse(ran.stdout) as { readonly ok: boolean; readonly data: Record<string, unknown>; readonly error?: unknown };
  expect(said).toMatchObject({ ok: true });
  return said.data;
}

const stop = (id: string, active = false) => ({ session_id: id, hook_event_name: 'Stop', stop_hook_active: active });
const write = (path: string) => ({ session_id: 's', hook_event_name: 'PreToolUse', tool_name: 'Write', tool_input: { file_path: path } });

describe('a hook says nothing', () => {
  test.each([['session-start'], ['user-prompt'], ['pre-tool'], ['stop'], ['session-end']])('%s, where nobody is an agent', async (name) => {
    expect(await hook(name, write('cambium.yaml'), { as: null })).toEqual({});
  });

  test.each([['no JSON at all', 'not json'], ['nothing', ''], ['another kind', '[1,2]'], ['odd fields', '{"session_id":{},"cwd":7,"tool_name":[],"tool_input":"x"}']])('to %s', async (_kind, input) => {
    for (const name of ['stop', 'pre-tool']) expect(await hook(name, input, { as: 'nobody-here' })).toEqual({});
  });

  test('outside of a workspace, for an agent that is none, and for a hook that is none', async () => {
    expect(await hook('stop', stop('x'), { cwd: dirname(root) })).toEqual({});
    expect(await hook('stop', stop('x'), { as: '../worker-1' })).toEqual({});
    const ran = await start(process.execPath, [cliPath().replace(/cli\.js$/, 'hook.js'), 'no-such-hook'], { cwd: root, env: { CAMBIUM_AGENT: 'worker-1' } }).ended;
    expect([ran.exit, ran.stdout]).toEqual([0, '{}\n']);
  });

  test('when its own state is broken: an error is no reason to stop an agent', async () => {
    const refs = join(root, '.git/cambium/local/sessions');
    mkdirSync(refs, { recursive: true });
    writeFileSync(join(refs, 'broken.1.json'), '{"task":');
    expect(await hook('stop', stop(session()))).toEqual({});
    rmSync(join(refs, 'broken.1.json'));
  });

  test('and does not wait for a CLI that leaves its pipe open', async () => {
    const child = spawn(process.execPath, [cliPath(), 'hook', 'stop'], { cwd: root, env: { PATH: process.env['PATH'], CAMBIUM_AGENT: 'worker-1' }, stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.write(JSON.stringify(stop(session())));
    const exit = await new Promise((resolve) => void child.once('exit', resolve));
    child.stdin.destroy();
    expect(exit).toBe(0);
  });
});

describe('a session that a person started', () => {
  test('learns who it is and what to do when it holds nothing', async () => {
    const said = await hook('session-start', { session_id: session(), hook_event_name: 'SessionStart', source: 'startup' });
    expect(said.hookSpecificOutput?.hookEventName).toBe('SessionStart');
    expect(said.hookSpecificOutput?.additionalContext).toContain('You are the agent worker-1');
    expect(said.hookSpecificOutput?.additionalContext).toContain('The tests need TZ=UTC.');
    expect(await hook('stop', stop(session()))).toEqual({});
  });

  test('is told what it holds, and is reminded of it once a chain of stops', async () => {
    const won = await cambium('worker-1', 'task', 'claim', 'held');
    const id = session();
    const context = (await hook('session-start', { session_id: id, source: 'resume' })).hookSpecificOutput?.additionalContext ?? '';
    for (const part of ['Task held (claim epoch 1): the held one', '- Tests pass', 'Do the held one.', 'cambium task complete held --epoch 1']) expect(context).toContain(part);
    const said = await hook('stop', stop(id));
    expect(said.decision).toBe('block');
    expect(said.reason).toContain('cambium task release held --epoch 1');
    // The same CLI that goes on saying that no hook is active gets no second block: codex and gemini would never stop.
    expect(await hook('stop', stop(id))).toEqual({});
    expect(await hook('stop', stop(id, true))).toEqual({});
    await hook('user-prompt', { session_id: id, hook_event_name: 'UserPromptSubmit' });
    expect(await hook('stop', stop(id, true))).toEqual({});
    expect((await hook('stop', stop(id))).decision).toBe('block');
    // The agent's own worktree is a place of the same clone, and so is a folder in it.
    expect((await hook('stop', stop(session()), { cwd: String(won['worktree']) })).decision).toBe('block');
    // It is another agent's.
    expect(await hook('stop', stop(session()), { as: 'rita' })).toEqual({});
  });

  test('of two hooks that run at once one blocks', async () => {
    const id = session();
    const all = await Promise.all(Array.from({ length: 4 }, () => hook('stop', stop(id))));
    expect(all.filter(({ decision }) => decision === 'block')).toHaveLength(1);
  });

  test('is not reminded of a claim that it has lost', async () => {
    await cambium(null, 'task', 'cancel', 'held', '--reason', 'no need');
    expect(existsSync(join(root, '.git/cambium/local/sessions/held.1.json'))).toBe(true);
    expect(await hook('stop', stop(session()))).toEqual({});
  });

  test('is told of new messages once', async () => {
    await cambium(null, 'message', 'send', 'the key\nis under the mat', '--to', 'worker-1');
    await cambium('rita', 'message', 'send', '\u001b[31mred', '--to', 'worker-1');
    const said = await hook('user-prompt', { session_id: session(), hook_event_name: 'BeforeAgent', timestamp: 'now' });
    expect(said.hookSpecificOutput?.hookEventName).toBe('BeforeAgent');
    const lines = said.hookSpecificOutput?.additionalContext?.split('\n') ?? [];
    expect(lines.slice(1).map((line) => line.replace(/^- \S+ from /, ''))).toEqual([expect.stringMatching(/^human:\S+: the key$/), 'agent:rita: [31mred']);
    expect(await hook('user-prompt', { session_id: session() })).toEqual({});
  });
});

describe('stop: drain', () => {
  test('hands over what is ready, never twice the same, and ends when nothing is', async () => {
    const id = session();
    expect(await hook('stop', stop(id), { as: 'drainer' })).toEqual({});
    await cambium(null, 'task', 'add', 'One', '--id', 'one', '--assign', 'drainer', '--criterion', 'it is one');
    const said = await hook('stop', stop(id), { as: 'drainer' });
    expect(said.decision).toBe('block');
    for (const part of ['Your next task is one: One', '# One', '- it is one', 'cambium task complete one --agent drainer --epoch 1']) expect(said.reason).toContain(part);
    // Under that claim it may stop: it was handed over, and that is reminder enough.
    expect(await hook('stop', stop(id, true), { as: 'drainer' })).toEqual({});
    expect(await hook('stop', stop(id), { as: 'drainer' })).toEqual({});
    await cambium(null, 'task', 'add', 'Two', '--id', 'two', '--assign', 'drainer');
    await cambium('drainer', 'task', 'fail', 'one', '--epoch', '1', '--reason', 'enough');
    expect((await hook('stop', stop(id, true), { as: 'drainer' })).reason).toContain('Your next task is two');
    await cambium('drainer', 'task', 'fail', 'two', '--epoch', '1', '--reason', 'enough');
    expect(await hook('stop', stop(id, true), { as: 'drainer' })).toEqual({});
  });

  test('is nobody\'s unless cambium.yaml on main says so', async () => {
    await cambium(null, 'task', 'add', 'Three', '--id', 'three', '--assign', 'worker-1');
    writeFileSync(join(root, 'cambium.yaml'), CONFIG.replace('worker-1: { role: worker }', 'worker-1: { role: worker, stop: drain }'));
    expect(await hook('stop', stop(session()))).toEqual({});
    writeFileSync(join(root, 'cambium.yaml'), CONFIG);
    await cambium(null, 'task', 'cancel', 'three');
  });
});

describe('a file tool is refused', () => {
  const denied = async (path: string, call: Call = {}): Promise<string | null> => {
    const { hookSpecificOutput: said } = await hook('pre-tool', write(path), call);
    return said?.permissionDecision === 'deny' ? (said.permissionDecisionReason ?? '') : null;
  };

  test.each([
    ['cambium.yaml', 'cambium.yaml is protected'], ['./src/../.claude/settings.json', '.claude/settings.json is protected'], ['tasks/held.md', 'outside what the role worker may change'],
    ['tasks/held.result.md', 'written by the engine only'], ['.git/config', 'git\'s own'], ['agents/rita.md', 'outside what the role worker may add'],
  ])('%s', async (path, why) => {
    expect(await denied(path)).toContain(why);
    expect(await denied(join(root, path))).toContain(why);
  });

  test.each([['src/old.ts'], ['src/new.ts'], ['tasks/another.md'], ['memory/worker-1/2026-11-21-x.md'], ['.cambium/report.md'], ['/tmp/notes.md'], ['../elsewhere.ts']])('not for %s', async (path) => {
    expect(await denied(path)).toBeNull();
  });

  test('by the role: a reviewer changes no code', async () => {
    expect(await denied('src/old.ts', { as: 'rita' })).toContain('outside what the role reviewer may change');
  });

  test('by where a link leads', async () => {
    mkdirSync(join(root, 'links'), { recursive: true });
    symlinkSync(join(root, 'tasks'), join(root, 'links/in'));
    expect(await denied('links/in/held.md')).toContain('tasks/held.md');
  });

  test('not for what the agent itself has added in its worktree', async () => {
    await cambium(null, 'task', 'add', 'Four', '--id', 'four', '--assign', 'worker-1');
    const { worktree } = await cambium('worker-1', 'task', 'claim', 'four');
    writeFileSync(join(String(worktree), 'tasks/mine.md'), task('mine'));
    expect(await denied('tasks/mine.md', { cwd: String(worktree) })).toBeNull();
    expect(await denied('tasks/held.md', { cwd: String(worktree) })).toContain('tasks/held.md');
    await cambium('worker-1', 'task', 'fail', 'four', '--epoch', '1', '--reason', 'enough');
  });

  test('where another agent has reserved it, and its own reservation is no hindrance', async () => {
    await cambium('rita', 'reserve', 'src/**', '--why', 'a rework');
    expect(await denied('src/old.ts')).toMatch(/src\/old\.ts is reserved by agent:rita on vm \(src\/\*\*: a rework\)/);
    expect(await denied('docs/x.md')).toBeNull();
    await cambium('rita', 'unreserve');
    await cambium('worker-1', 'reserve', 'src/**');
    expect(await denied('src/old.ts')).toBeNull();
    await cambium('worker-1', 'unlock', '--all');
  });

  test('in each CLI\'s own way, every file of a patch', async () => {
    const patch = { session_id: 's', turn_id: '1', hook_event_name: 'PreToolUse', tool_name: 'apply_patch', tool_input: { command: '*** Begin Patch\n*** Update File: src/old.ts\n@@\n-old\n+new\n*** Delete File: cambium.yaml\n*** End Patch' } };
    expect((await hook('pre-tool', patch)).hookSpecificOutput?.permissionDecisionReason).toMatch(/^cambium\.yaml is protected/);
    expect(await hook('pre-tool', { session_id: 's', timestamp: 't', hook_event_name: 'BeforeTool', tool_name: 'replace', tool_input: { file_path: 'cambium.yaml' } })).toMatchObject({ decision: 'deny' });
    expect(await hook('pre-tool', { session_id: 's', hook_event_name: 'PreToolUse', tool_name: 'Bash', tool_input: { command: 'echo > cambium.yaml' } })).toEqual({});
  });

  test('by new settings as soon as they are on main', async () => {
    const yaml = CONFIG.replace('  rita', '  guest: { role: reviewer }\n  rita');
    expect(await denied('src/old.ts', { as: 'guest' })).toBeNull();
    writeFileSync(join(root, 'cambium.yaml'), yaml);
    await cambium(null, 'sync');
    expect(await denied('src/old.ts', { as: 'guest' })).toContain('role reviewer');
  });
});

describe('a spawn of the engine\'s own', () => {
  const spawned = (id: string, more: Readonly<Record<string, string>> = {}): Call => ({ env: { CAMBIUM_SPAWN: id, CAMBIUM_TASK: 'five', CAMBIUM_RESULT_FILE: join(root, '.cambium/five.md'), ...more }, args: ['--for', 'claude', '--spawned'] });

  beforeAll(async () => {
    await cambium(null, 'task', 'add', 'Five', '--id', 'five', '--assign', 'worker-1', '--criterion', 'five is there');
    await cambium('worker-1', 'task', 'claim', 'five');
  });

  test('hears the hooks that it was given, and not those of the tree it stands in', async () => {
    const call = spawned('S1');
    expect(await hook('stop', stop(session()), { ...call, args: ['--for', 'claude'] })).toEqual({});
    expect(await hook('stop', stop(session()), { args: ['--spawned'] })).toEqual({});
  });

  test('is asked once for the report that its criteria need, and never about the claim', async () => {
    const id = session();
    const said = await hook('stop', stop(id), spawned('S1'));
    expect(said).toMatchObject({ decision: 'block', reason: expect.stringMatching(/Your report is missing.*\/five\.md.*five is there/s) as string });
    expect(await hook('stop', stop(id), spawned('S1'))).toEqual({});
    expect(await hook('stop', stop(session(), true), spawned('S1'))).toEqual({});
    mkdirSync(join(root, '.cambium'), { recursive: true });
    writeFileSync(join(root, '.cambium/five.md'), '# Report\n');
    expect(await hook('stop', stop(session()), spawned('S1'))).toEqual({});
    rmSync(join(root, '.cambium/five.md'));
  });

  test('is not asked where nothing needs a report', async () => {
    await cambium(null, 'task', 'add', 'Six', '--id', 'six', '--assign', 'worker-1');
    await cambium('worker-1', 'task', 'claim', 'six');
    expect(await hook('stop', stop(session()), spawned('S2', { CAMBIUM_TASK: 'six' }))).toEqual({});
  });

  test('is told at its start who it is, and all of it again after a compaction', async () => {
    const at = async (source: string): Promise<string> => (await hook('session-start', { session_id: session(), source }, spawned('S1'))).hookSpecificOutput?.additionalContext ?? '';
    expect(await at('startup')).not.toContain('five is there');
    expect(await at('compact')).toContain('five is there');
  });

  test('gives back what it locked and reserved when it ends, and nothing else', async () => {
    await cambium('worker-1', 'lock', 'mine');
    const ran = await cli(['lock', 'its', '--json'], { cwd: root, env: { CAMBIUM_AGENT: 'worker-1', CAMBIUM_NODE: 'vm', CAMBIUM_SPAWN: 'S1' } });
    expect(ran.exit).toBe(0);
    gitIn(root, ['config', 'cambium.node', 'vm']);
    await hook('session-end', { session_id: session(), reason: 'other' }, spawned('S1'));
    expect((await cambium(null, 'lock', 'list'))['locks']).toMatchObject([{ name: 'mine' }]);
    await hook('session-end', { session_id: session(), reason: 'other' });
    expect((await cambium(null, 'lock', 'list'))['locks']).toEqual([]);
  });
});

test('what a stop loads: neither the command line nor what reads settings', async () => {
  // Settings that nobody has looked at yet are read once.
  await hook('stop', stop(session()), { as: 'rita' });
  const probe = join(root, '.cambium/loaded.mjs');
  mkdirSync(dirname(probe), { recursive: true });
  // Told by node itself: each module that is loaded in the process.
  writeFileSync(probe, `import { register } from 'node:module';\nregister('data:text/javascript,' + encodeURIComponent("import { appendFileSync } from 'node:fs'; export async function load(url, context, next) { appendFileSync(" + JSON.stringify(${JSON.stringify(join(root, '.cambium/loaded.txt'))}) + ", url + '\\\\n'); return next(url, context); }"));\n`);
  const ran = await start(process.execPath, ['--import', probe, cliPath(), 'hook', 'stop'], { cwd: root, env: { CAMBIUM_AGENT: 'rita' }, input: JSON.stringify(stop(session())) }).ended;
  expect([ran.exit, ran.stdout]).toEqual([0, '{}\n']);
  const loaded = readFileSync(join(root, '.cambium/loaded.txt'), 'utf8');
  expect(loaded).toContain('/hook.js');
  expect(loaded.split('\n').filter((url) => /node_modules\/(?!\.cache)|\/(?:compose|session|fleetConfig|schemas)\.js$/.test(url))).toEqual([]);
});
