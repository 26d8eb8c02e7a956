import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DEFAULT_CONFIG, durationMs, parseFleetConfig } from '../../src/observe/fleetConfig.ts';

const parse = (text: string) => parseFleetConfig(new TextEncoder().encode(text));
const HEAD = 'schema: cambium.fleet/1\n';

function configOf(text: string) {
  const parsed = parse(text);
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

function problemsOf(text: string) {
  const parsed = parse(text);
  return 'problems' in parsed ? parsed.problems : [];
}

test('the example of docs/formats.md is good, and says what it looks like', () => {
  const formats = readFileSync(new URL('../../docs/formats.md', import.meta.url), 'utf8');
  const example = /## cambium\.yaml\n```yaml\n([\s\S]*?)```/.exec(formats)?.[1] ?? '';
  const parsed = parse(example);
  expect('config' in parsed ? parsed.warnings : parsed.problems).toEqual([]);
  const config = configOf(example);
  expect(config).toMatchObject({ timings: DEFAULT_CONFIG.timings, defaults: DEFAULT_CONFIG.defaults, limits: DEFAULT_CONFIG.limits, roles: DEFAULT_CONFIG.roles, protectedPaths: DEFAULT_CONFIG.protectedPaths });
  expect(config.agents['worker-1']).toEqual({ role: 'worker', node: '*', provider: 'runbook', model: null, fallback: [], capabilities: [], constitution: null, sandbox: 'auto', handle: null, stop: 'remind' });
  expect(config.agents['worker-2']).toMatchObject({ node: 'vm-b', model: 'daily', fallback: ['codex'], capabilities: ['node'], constitution: 'implementer' });
  expect(config.projects['api']).toEqual({ url: 'ssh://git@example.org/api.git', branch: 'main', return: 'review', setup: ['npm ci'], copy: ['.env'] });
  expect(config.providers['mycli']).toMatchObject({ command: ['mycli', 'run', '{prompt_file}'], env: { MYCLI_COLOR: 'never' } });
});

test('without the file the defaults are in force, and so they are for what it leaves out', () => {
  expect(parseFleetConfig(null)).toEqual({ config: DEFAULT_CONFIG, warnings: [] });
  expect(configOf(HEAD)).toEqual(DEFAULT_CONFIG);
  expect(configOf(`${HEAD}limits: { usd_per_day: null }\n`).limits).toEqual({ ...DEFAULT_CONFIG.limits, usdPerDay: null });
  expect(configOf(`${HEAD}agents:\n  a1:\n`).agents['a1']).toMatchObject({ role: 'worker', node: '*', provider: 'runbook' });
});

test.each([['180s', 180_000], ['100ms', 100], ['10m', 600_000], ['2h', 7_200_000], ['1.5s', 1_500], ['0s', 0], ['5', null], ['5 s', null], ['-5s', null], ['1d', null], ['1e3s', null]])('the duration %s', (text, ms) => {
  expect(durationMs(text)).toBe(ms);
});

test('who shortens only the ttl gets a heartbeat and a grace that fit', () => {
  expect(configOf(`${HEAD}timings: { ttl: 6s }\n`).timings).toMatchObject({ ttlMs: 6_000, heartbeatMs: 2_000, graceMs: 1_000, fetchMs: 5_000 });
});

test('numbers where text is meant stay what was written', () => {
  const config = configOf(`${HEAD}agents: { a1: { model: 4.10 } }\nproviders: { cli: { command: [run, 007, true], env: { PORT: 8080 } } }\n`);
  expect(config.agents['a1']?.model).toBe('4.10');
  expect(config.providers['cli']).toMatchObject({ command: ['run', '007', 'true'], env: { PORT: '8080' } });
});

test('unknown keys are kept and warned of, each with its place', () => {
  const parsed = parse(`${HEAD}colour: blue\nagents:\n  a1: { modle: daily }\ntimings: { tll: 5s }\n`);
  expect('config' in parsed && parsed.config.extra).toEqual({ colour: 'blue' });
  expect('config' in parsed && parsed.warnings.map(({ line, column, message }) => [line, column, message.split('`')[1]])).toEqual([
    [2, 1, 'colour'], [5, 12, 'timings.tll'], [4, 9, 'agents.a1.modle'],
  ]);
});

describe('a bad file says where it is bad and how to mend it', () => {
  test.each([
    ['', 1, 'The key `schema`'],
    ['branch: main\n', 1, 'The key `schema`'],
    ['schema: cambium.fleet/2\nwhatever: 1\n', 1, 'schema-too-new'],
    [`${HEAD}branch: [main]\n`, 2, '`branch`'],
    [`${HEAD}branch: --upload-pack=x\n`, 2, '`branch`'],
    [`${HEAD}branch: a..b\n`, 2, '`branch`'],
    [`${HEAD}timings:\n  ttl: fast\n`, 3, '`timings.ttl`'],
    [`${HEAD}timings:\n  ttl: 60s\n  heartbeat: 30s\n`, 4, 'A heartbeat'],
    [`${HEAD}timings:\n  ttl: 30s\n  grace: 10s\n`, 4, 'The grace'],
    [`${HEAD}timings: { settle: 0s }\n`, 2, '`timings.settle`'],
    [`${HEAD}agents:\n  ok: {}\n  Bad Name: {}\n`, 4, '`agents.Bad Name`'],
    [`${HEAD}agents:\n  project: {}\n`, 3, '`agents.project`'],
    [`${HEAD}agents:\n  a1:\n    role: 7\n`, 4, '`agents.a1.role`'],
    [`${HEAD}agents:\n  a1: { model: --yolo }\n`, 3, '`agents.a1.model`'],
    [`${HEAD}agents:\n  a1: {}\n  a1: {}\n`, 4, 'The key a1'],
    [`${HEAD}roles: { worker: { write: ["../**"] } }\n`, 2, '`roles.worker.write.0`'],
    [`${HEAD}projects:\n  api: { url: "ext::sh -c id" }\n`, 3, '`projects.api.url`'],
    [`${HEAD}projects:\n  api: { url: --upload-pack=x }\n`, 3, '`projects.api.url`'],
    [`${HEAD}providers:\n  cli: { command: [] }\n`, 3, '`providers.cli.command`'],
    [`${HEAD}providers:\n  cli: { command: run it }\n`, 3, '`providers.cli.command`'],
    [`${HEAD}providers:\n  cli: { command: [x], env: { "A B": x } }\n`, 3, '`providers.cli.env.A B`'],
    [`${HEAD}providers:\n  runbook: { command: [x] }\n`, 3, 'The provider `runbook`'],
    [`${HEAD}landing: { verify: never }\n`, 2, '`landing.verify`'],
    [`${HEAD}schedules: [{ id: nightly }]\n`, 2, '`schedules.0'],
    [`${HEAD}limits: { agents_per_node: many }\n`, 2, '`limits.agents_per_node`'],
    [`${HEAD}a: [\n`, 3, 'The YAML'],
    [`${HEAD}a: !!js/function x\n`, 2, 'The YAML'],
    [`${HEAD}---\nschema: cambium.fleet/1\n`, 2, 'The YAML'],
    [`${HEAD}a: &a [*a]\n`, 2, 'The YAML uses more'],
    ['\ufeffschema: cambium.fleet/1\n', 1, 'The file begins'],
    ['schema: cambium.fleet/1\r\n', 1, 'The file has carriage'],
    ['- a\n', 1, 'The file'],
    ['hello\n', 1, 'The file'],
    [`x: "${'a'.repeat(262_144)}"\n`, 1, 'The file is'],
  ])('%j', (text, line, message) => {
    const [first] = problemsOf(text);
    expect(first).toMatchObject({ line, message: expect.stringContaining(message) });
    expect(first?.column).toBeGreaterThanOrEqual(1);
    expect(first?.hint).not.toBe('');
  });
});

test('all problems are told at once', () => {
  expect(problemsOf(`${HEAD}branch: 1 2\nlanding: { verify: x }\nagents: { project: {} }\n`).length).toBe(3);
});

test('a bad agent name comes with a good one', () => {
  expect(problemsOf(`${HEAD}agents: { "Worker 1": {}, all: {} }\n`).map(({ hint }) => hint)).toEqual(['Name the agent worker-1.', 'Name the agent agent-all.']);
});
