/** Where things stand, as an agent is told. */
import { expect, test } from 'vitest';
import type { FleetConfig } from '../../src/model/config.ts';
import type { SpawnFacts } from '../../src/model/seenSpawn.ts';
import type { Task } from '../../src/model/task.ts';
import { parseFleetConfig } from '../../src/observe/fleetConfig.ts';
import { NO_STOP } from '../../src/model/stop.ts';
import { orient } from '../../src/orient/situation.ts';
import { situationLines } from '../../src/orient/situationLines.ts';
import { NOW, chainOf, fleetOf, resultOf, taskOf } from '../support/situations.ts';
import type { FleetParts } from '../support/situations.ts';

function configOf(text: string): FleetConfig {
  const read = parseFleetConfig(Buffer.from(`schema: cambium.fleet/1\n${text}`));
  if (!('config' in read)) throw new Error(JSON.stringify(read));
  return read.config;
}

function linesFor(parts: FleetParts, about: { readonly agent?: string; readonly role?: string; readonly task?: Task | null; readonly now?: string } = {}): readonly string[] {
  const fleet = fleetOf(parts);
  const { agent = 'ann', role = 'worker', task = null, now = NOW } = about;
  return situationLines(fleet, orient(fleet, now), { agent, role, task, now });
}

const mine = taskOf('form', { dependsOn: ['api'], verify: ['npm', 'test'], review: 'human', timeoutMinutes: 20, maxAttempts: 2, maxTurns: 30, budgetUsd: 2 });
const spent = (task: string, costUsd: number, start = NOW): SpawnFacts => ({ id: 'x', task, agent: 'ann', start, costUsd, usage: { input: 900, cached: 0, output: 100 } } as SpawnFacts);

test('a worker is told the bounds of its task, what it builds on, what was made of it, and its scope', () => {
  expect(linesFor({ tasks: [mine, taskOf('api'), taskOf('part', { parent: 'form' })], results: [resultOf('api', 'done', { agent: 'bob' })], more: { ledger: [spent('form', 0.5), spent('api', 7)] } }, { task: mine })).toEqual([
    'Limits of this task: 20 minutes a turn, 2 attempts in all, 30 model turns, $2.00, of which $0.5000 are spent.',
    'When you end, the node runs: npm test', 'Before it lands, a person reviews it.',
    'Your task builds on: api (done by bob; report: tasks/**/api.result.md).', 'Tasks made from yours: part is ready.',
    'As worker you may change ** without tasks/**, agents/**, memory/**; add new files at tasks/*.md, memory/ann/**. Never: cambium.yaml, hooks/**, .claude/**, .mcp.json, templates/**, AGENTS.md, CLAUDE.md.',
  ]);
});

test('open claims are told: its own others, those that wait for its review, and what others are at; never the task itself', () => {
  const tasks = [mine, taskOf('second'), taskOf('theirs'), taskOf('judge', { review: 'ann' })];
  const chains = [chainOf('form', 'claim'), chainOf('second', 'claim', { epoch: 3 }), chainOf('theirs', 'claim', { agent: 'bob', node: 'vm-b' }), chainOf('judge', 'review', { agent: 'bob', commit: 'c'.repeat(40) })];
  expect(linesFor({ tasks, chains }, { task: mine }).slice(-3)).toEqual(['You hold besides: second (epoch 3 on vm-a).', 'For you to review: judge (commit cccccccccc).', 'Others work on: theirs (bob on vm-b).']);
});

test('before a claim and after it the lines are the same', () => {
  const config = configOf('agents:\n  ann: { role: coordinator }\n  bob: {}\n');
  const tasks = [mine, taskOf('api'), taskOf('theirs')];
  const results = [resultOf('api')];
  const lines = (chains: FleetParts['chains']): readonly string[] => linesFor({ tasks, results, chains: chains ?? [], more: { config } }, { role: 'coordinator', task: mine });
  expect(lines([chainOf('form', 'claim')])).toEqual(lines([]));
});

test('a coordinator is told the queue, those first that need somebody, the results, the agents and the budgets', () => {
  const config = configOf('agents:\n  lead: { role: coordinator }\n  ann: { provider: claude, model: high, node: vm-b, capabilities: [node] }\n  bob: {}\nlimits: { usd_per_day: 20, tokens_per_day: 5000 }\n');
  const tasks = [taskOf('api'), taskOf('form', { dependsOn: ['api'] }), taskOf('asks'), taskOf('works', { priority: 0 }), taskOf('old'), taskOf('broken')];
  const chains = [chainOf('asks', 'input', { question: `Which port? ${'x'.repeat(300)}` }), chainOf('works', 'claim', { attempt: 2 })];
  const results = [resultOf('old', 'done', { costUsd: 0.25, attempts: 2, ended: '2026-11-20T00:00:00Z' }), resultOf('broken', 'failed')];
  const lines = linesFor({ tasks, chains, results, more: { config, ledger: [spent('old', 0.25), spent('old', 9, '2026-11-20T09:00:00Z')] } }, { agent: 'lead', role: 'coordinator' });
  expect(lines.slice(1).map((line) => line.replace(/x{20,}…?/, 'x…'))).toEqual([
    'Others work on: works (ann on vm-a).',
    'The queue: 1 input, 1 failed, 1 blocked, 1 held, 1 ready, 1 done.',
    '- asks: input, priority 2: Which port? x…', '- broken: failed, priority 2', '- form: blocked, priority 2: waits for api', '- works: held, priority 0, attempt 2 by ann on vm-a', '- api: ready, priority 2',
    'The latest results:', '- broken: failed by ann, attempt 1', '- old: done by ann, attempt 2, $0.2500',
    'The agents:', '- ann: worker, claude high, on vm-b, can node; works on works', '- bob: worker, runbook, on any node; free',
    "The fleet's limits: for today $20.00, of which $0.2500 are spent, and 5000 tokens, of which 1000 are used; 4 agents at once on a node; agents woken by agents 3 deep.",
  ]);
});

test('what people have stopped, and providers that are left alone, are told to a coordinator', () => {
  const config = configOf('agents:\n  ann: { provider: claude }\n  bob: {}\n');
  const wish = { by: 'human:maria', why: 'a holiday', at: NOW };
  const stop = { ...NO_STOP, fleet: { ...wish, mode: 'drain' as const }, agents: { bob: { ...wish, why: null } } };
  const park = { provider: 'claude', node: 'vm-a', failure: 'rate_limit', reason: 'come back', since: NOW, until: '2026-11-21T15:00:00.000Z', times: 1, scope: 'node', resumed: null, settings: '' } as const;
  const more = { config, stop, parks: [park, { ...park, provider: 'runbook', until: '2026-11-21T11:00:00.000Z' }] };
  const waits = linesFor({ more }, { agent: 'lead', role: 'coordinator' }).filter((line) => /stopped|paused|parked/.test(line));
  expect(waits).toEqual(['- the fleet is stopped by maria: a holiday', '- the agent bob is paused by maria', '- claude is parked on vm-a until 2026-11-21T15:00:00Z (rate limit: come back)']);
  expect(linesFor({ more }).join('\n')).not.toMatch(/holiday|parked/);
});

test('much is counted, not listed', () => {
  const lines = linesFor({ tasks: Array.from({ length: 60 }, (_, at) => taskOf(`t${at}`)), results: Array.from({ length: 25 }, (_, at) => resultOf(`t${at}`)) }, { agent: 'lead', role: 'coordinator' });
  expect(lines.filter((line) => /: ready,/.test(line))).toHaveLength(35);
  expect(lines.filter((line) => /: done by/.test(line))).toHaveLength(10);
  const many = linesFor({ tasks: Array.from({ length: 60 }, (_, at) => taskOf(`t${at}`)) }, { agent: 'lead', role: 'coordinator' });
  expect(many.filter((line) => /: ready,/.test(line))).toHaveLength(40);
  expect(many).toContain('- and 20 more');
});

test('a role that nobody defined may do nothing, and is told so', () => {
  expect(linesFor({}, { role: 'constructor' })).toEqual(['The role constructor is not defined in cambium.yaml, so no change of yours can land.']);
});
