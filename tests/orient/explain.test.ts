/** Why a task is not running and what would make it run, for every state a task can be in. */
import { describe, expect, test } from 'vitest';
import type { LocalFacts } from '../../src/orient/candidates.ts';
import { explainTask, nearIds } from '../../src/orient/explain.ts';
import type { ExplainFacts, Explanation } from '../../src/orient/explanation.ts';
import { orient } from '../../src/orient/situation.ts';
import { agoOf, span } from '../../src/orient/spans.ts';
import { DEFAULT_CONFIG } from '../../src/observe/fleetConfig.ts';
import type { AgentConfig, FleetConfig } from '../../src/model/config.ts';
import { NOW, agentOf, beatOf, chainOf, fleetOf, resultOf, taskOf } from '../support/situations.ts';
import type { FleetParts } from '../support/situations.ts';

const NOW_S = Date.parse(NOW) / 1000;
const agent = (more: Partial<AgentConfig> = {}): AgentConfig => ({ role: 'worker', node: '*', provider: 'runbook', model: null, fallback: [], capabilities: [], constitution: null, sandbox: 'auto', handle: null, stop: 'remind', ...more });
const config = (agents: Readonly<Record<string, AgentConfig>> = { ann: agent() }, more: Partial<FleetConfig> = {}): FleetConfig => ({ ...DEFAULT_CONFIG, agents, ...more });

interface Setting extends FleetParts {
  readonly config?: FleetConfig;
  readonly local?: Partial<LocalFacts>;
  readonly facts?: Partial<ExplainFacts>;
}

function explain(id: string, { config: settings = config(), local = {}, facts = {}, more = {}, ...parts }: Setting): Explanation {
  const fleet = fleetOf({ ...parts, more: { config: settings, archived: new Map(), reopened: new Set(), ...more } });
  const here: LocalFacts = { node: 'vm-me', daemon: true, agents: [agentOf('ann')], beats: new Map(), nowS: NOW_S, ...local };
  const found = explainTask({ fleet, situation: orient(fleet, NOW), local: here, report: null, decided: [], ...facts }, id);
  if (found === null) throw new Error('the task is not known');
  return found;
}

describe('a ready task', () => {
  const tasks = [taskOf('a')];

  test('that a free agent takes needs nothing', () => {
    expect(explain('a', { tasks })).toEqual({
      task: 'a', state: 'ready', why: ['it is ready: ann on vm-me takes it at the next look'], mend: [], agents: [{ agent: 'ann', node: 'vm-me', fits: true, presence: 'free', why: 'free' }],
    });
  });

  test('without a daemon anywhere: start one', () => {
    const { why, mend } = explain('a', { tasks, local: { daemon: false } });
    expect(why).toEqual(['it is ready, and no daemon runs that could take it (ann on vm-me: no daemon runs here)']);
    expect(mend).toEqual(['Start the daemon of this clone: `cambium up` (or `cambium cycle` for one cycle).']);
  });

  test('in a fleet without agents', () => {
    const { why, mend } = explain('a', { tasks, config: config({}), local: { agents: [] } });
    expect(why).toEqual(['it is ready, and the fleet has no agents']);
    expect(mend[0]).toContain('Give cambium.yaml an agent');
  });

  test.each<readonly [string, Parameters<typeof taskOf>[1], readonly string[], string]>([
    ['an agent that does not exist', { assignedTo: 'zoe' }, ['it is assigned to zoe'], 'Give cambium.yaml an agent zoe, or assign it to another: `cambium task edit a --assign ann`.'],
    ['a role that nobody has', { role: 'reviewer' }, ['it needs the role reviewer'], 'Give cambium.yaml an agent with role reviewer, or ask for less in tasks/a.md.'],
    ['capabilities', { requires: ['gpu', 'cuda'] }, ['it requires gpu, cuda'], 'Give cambium.yaml an agent with the capabilities gpu, cuda, or ask for less in tasks/a.md.'],
    ['another provider', { provider: 'claude' }, ['it asks for the provider claude'], 'Give cambium.yaml an agent with the provider claude, or ask for less in tasks/a.md.'],
    ['capabilities of the agent it is assigned to', { assignedTo: 'ann', requires: ['gpu'] }, ['it requires gpu'], 'Give cambium.yaml an agent ann with the capabilities gpu, or ask for less in tasks/a.md.'],
  ])('that asks for %s says who does not fit and why', (_name, front, reasons, mend) => {
    const found = explain('a', { tasks: [taskOf('a', front)] });
    expect(found.why).toEqual(['it is ready, and no agent of the fleet fits it']);
    expect(found.agents.map(({ fits, why }) => (fits ? '' : why))).toEqual(reasons);
    expect(found.mend[0]).toBe(mend);
  });

  test('names a provider that nobody defined', () => {
    expect(explain('a', { tasks: [taskOf('a', { provider: 'claude' })] }).mend[1]).toBe('No agent uses the provider claude: define it under `providers:` in cambium.yaml.');
  });

  test('whose agents are busy says with what, and on which nodes', () => {
    const chains = [chainOf('x', 'claim', { agent: 'ann', node: 'vm-me' }), chainOf('y', 'claim', { agent: 'ann', node: 'vm-b' })];
    const found = explain('a', { tasks, chains, more: { nodes: new Map([['vm-b', beatOf('vm-b', 'life-a', [])]]) }, local: { beats: new Map([['vm-b', NOW_S - 20]]) } });
    expect(found.why).toEqual(['it is ready, and nobody who fits is free (ann on vm-me: works on x; ann on vm-b: works on y)']);
    expect(found.mend).toEqual(['It starts by itself when one of them is free.']);
  });

  test('whose node is at its limit', () => {
    const found = explain('a', { tasks, chains: [chainOf('x', 'claim', { agent: 'bob', node: 'vm-me' })], config: config({ ann: agent() }, { limits: { ...DEFAULT_CONFIG.limits, agentsPerNode: 1 } }) });
    expect(found.agents[0]?.why).toBe('vm-me works on 1 task, its limit (limits.agents_per_node)');
    expect(found.mend).toEqual(['It starts by itself when one of them is free.']);
  });

  test('for an agent of another node that is silent, or was never heard', () => {
    const settings = config({ ann: agent({ node: 'vm-b' }) });
    const silent = explain('a', { tasks, config: settings, local: { agents: [], beats: new Map([['vm-b', NOW_S - 7_200]]) }, more: { nodes: new Map([['vm-b', beatOf('vm-b', 'life-a', [])]]) } });
    expect(silent.why).toEqual(['it is ready, and no daemon runs that could take it (ann on vm-b: vm-b was last heard 2 h ago)']);
    expect(silent.mend).toEqual(['Start a daemon on vm-b: `cambium up` there.']);
    expect(explain('a', { tasks, config: settings, local: { agents: [] } }).agents[0]?.why).toBe('vm-b has never been heard');
  });

  test('that others can take says on what sign of life, and how to run it here', () => {
    const found = explain('a', { tasks, local: { daemon: false, beats: new Map([['vm-b', NOW_S - 5]]) }, more: { nodes: new Map([['vm-b', beatOf('vm-b', 'life-b', [])]]) } });
    expect(found.why).toEqual(['it is ready: ann on vm-b (free, heard 5 s ago) can take it, if a daemon runs there']);
    expect(found.mend).toEqual(['Start the daemon of this clone: `cambium up` (or `cambium cycle` for one cycle).']);
  });

  test('for an agent of any node, when none is known', () => {
    const found = explain('a', { tasks, local: { agents: [] } });
    expect(found.agents[0]).toMatchObject({ node: '*', why: 'no node that runs it is known' });
    expect(found.mend).toEqual(['Run `cambium up` on a node that has this agent.']);
  });

  test('counts an agent that was asked for by name on this node', () => {
    expect(explain('a', { tasks, config: config({}), local: { agents: [agentOf('helper')] } }).why).toEqual(['it is ready: helper on vm-me takes it at the next look']);
  });

  test('tells what comes before it', () => {
    const found = explain('c', { tasks: [taskOf('a', { priority: 0 }), taskOf('b'), taskOf('c')] });
    expect(found.why[1]).toBe('2 ready tasks come before it, 1 of them more urgent, for ann');
    expect(explain('b', { tasks: [taskOf('a', { priority: 0 }), taskOf('b')] }).why[1]).toBe('1 ready task comes before it, more urgent, for ann');
    expect(explain('b', { tasks: [taskOf('a'), taskOf('b')] }).why[1]).toBe('1 ready task comes before it, older, for ann');
    expect(explain('b', { tasks: [taskOf('a', { assignedTo: 'zoe' }), taskOf('b')] }).why).toHaveLength(1);
  });

  test('tells of a provider that was tried here and is away', () => {
    expect(explain('a', { tasks, facts: { decided: [{ kind: 'held-off', reason: 'mycli is not installed' }] } }).why[1]).toBe('tried here, and held off: mycli is not installed');
  });
});

describe('a blocked task', () => {
  test('tells the way to the root of it, and that root\'s own mend', () => {
    const tasks = [taskOf('a', { dependsOn: ['b'] }), taskOf('b', { dependsOn: ['c'] }), taskOf('c')];
    const failed = explain('a', { tasks, results: [resultOf('c', 'failed', { attempts: 3 })], chains: [chainOf('c', 'failed')] });
    expect(failed.why).toEqual(['waits for b, which is blocked: depends on c, which failed', 'the way there: a → b → c', 'c: failed by ann on vm-a, epoch 1, after 3 attempts, at 2026-11-21T12:00:00Z']);
    expect(failed.mend[0]).toContain('cambium task retry c');
    const held = explain('a', { tasks, chains: [chainOf('c', 'claim')] });
    expect(held.why[1]).toBe('the way there: a → b → c');
    expect(held.why[2]).toBe('c is held: ann on vm-a works on it: epoch 1, attempt 1, claimed 0 s ago');
    const ready = explain('a', { tasks, local: { daemon: false } });
    expect(ready.why[2]).toMatch(/^c is ready, and no daemon runs/);
    expect(ready.mend.at(-1)).toMatch(/^c: Start the daemon/);
  });

  test('of a circle, an unknown id and a cancelled dependency', () => {
    const circle = explain('a', { tasks: [taskOf('a', { dependsOn: ['b'] }), taskOf('b', { dependsOn: ['a'] })] });
    expect(circle.why).toEqual(['depends on itself: a → b → a']);
    expect(explain('x', { tasks: [taskOf('x', { dependsOn: ['a'] }), taskOf('a', { dependsOn: ['b'] }), taskOf('b', { dependsOn: ['a'] })] }).why).toEqual(['waits for a, which is blocked: depends on itself: a → b → a']);
    expect(explain('a', { tasks: [taskOf('a', { dependsOn: ['nope'] })] })).toMatchObject({ why: ['depends on nope, which does not exist'], mend: ['Add tasks/nope.md, or correct depends_on in tasks/a.md.'] });
    const cancelled = explain('a', { tasks: [taskOf('a', { dependsOn: ['b'] }), taskOf('b')], results: [resultOf('b', 'cancelled')], chains: [chainOf('b', 'cancel', { reason: 'not needed', by: 'Maria' })] });
    expect(cancelled.why).toEqual(['depends on b, which was cancelled', 'b: cancelled, at 2026-11-21T12:00:00Z']);
  });

  test('whose attempts are used up, or whose context is missing', () => {
    expect(explain('a', { tasks: [taskOf('a', { maxAttempts: 1 })], chains: [chainOf('a', 'release', { spent: true })] })).toMatchObject({ why: ['all 1 attempts are used up'], mend: [expect.stringContaining('cambium task retry a')] });
    expect(explain('a', { tasks: [taskOf('a')], more: { missingContext: new Map([['a', ['docs/x.md']]]) } }).why).toEqual(['context file docs/x.md is not in the tree']);
  });

  test('has who could take it once it is free', () => {
    expect(explain('a', { tasks: [taskOf('a', { dependsOn: ['b'] }), taskOf('b')] }).agents).toHaveLength(1);
  });
});

describe('a waiting task', () => {
  test('tells until when, and how to start it earlier', () => {
    const found = explain('a', { tasks: [taskOf('a', { notBefore: '2026-11-21T15:00:00Z' })] });
    expect(found).toMatchObject({ state: 'waiting', why: ['not before 2026-11-21T15:00:00Z (in 3 h)'], mend: ['It becomes ready by itself then.', 'To start it earlier, change not_before in tasks/a.md.'] });
  });

  test('after a failed attempt tells why it failed', () => {
    const found = explain('a', { tasks: [taskOf('a')], chains: [chainOf('a', 'release', { spent: true, not_before: '2026-11-21T12:00:05Z', reason: 'runbook ended with exit 1' })] });
    expect(found.why).toEqual(['not before 2026-11-21T12:00:05Z: runbook ended with exit 1 (in 5 s)']);
    expect(found.mend).toEqual(['It becomes ready by itself then.']);
  });
});

describe('a held task', () => {
  const tasks = [taskOf('a')];
  const nodes = new Map([['vm-a', beatOf('vm-a', 'life-a', ['tip-a'])]]);

  test('tells by whom, since when, why, and how its lease was renewed', () => {
    const found = explain('a', { tasks, chains: [chainOf('a', 'claim', { claimed_at: '2026-11-21T11:30:00Z', reason: 'priority 2, the only one' })], more: { nodes }, local: { beats: new Map([['vm-a', NOW_S - 20]]) } });
    expect(found.why).toEqual(['ann on vm-a works on it: epoch 1, attempt 1, claimed 30 min ago', 'its lease is 60 s, last renewed by heartbeat 1 of vm-a, 20 s ago', 'claimed because: priority 2, the only one']);
    expect(found.mend[0]).toBe('Nothing is to be done: it is running.');
    expect(found.agents).toEqual([]);
  });

  test('by a silent node tells when it is taken over', () => {
    const found = explain('a', { tasks, chains: [chainOf('a', 'claim')], more: { nodes }, local: { daemon: false, beats: new Map([['vm-a', NOW_S - 300]]) } });
    expect(found.why[1]).toContain('5 min ago: longer ago than it lasts');
    expect(found.mend[0]).toBe('A daemon takes it over after 76 s of silence; none runs in this clone (`cambium up`).');
  });

  test('by hand tells how it is kept alive', () => {
    expect(explain('a', { tasks, chains: [chainOf('a', 'claim')] }).why[1]).toBe('its lease is 60 s; no heartbeat of vm-a names it: a claim made by hand is kept alive with `cambium task renew a --agent ann --epoch 1`');
    expect(explain('a', { tasks, chains: [chainOf('a', 'renew')] }).why[1]).toContain('renewed by hand');
    expect(explain('a', { tasks, chains: [chainOf('a', 'claim', { claimed_at: '2026-11-21T10:00:00Z' })], more: { nodes: new Map([['vm-a', beatOf('vm-a', 'life-b', [])]]) } }).mend[0]).toContain('takes it over');
  });

  test('to land what was approved has no agent', () => {
    expect(explain('a', { tasks, chains: [chainOf('a', 'claim', { commit: 'abc', claimed_at: 'soon' })] }).why[0]).toBe('vm-a lands the approved work of ann: epoch 1, attempt 1, claimed at soon');
  });
});

describe('a task that waits for somebody', () => {
  test('tells the question, and who worked on it', () => {
    const found = explain('a', { tasks: [taskOf('a')], chains: [chainOf('a', 'input', { question: 'red or blue?' })] });
    expect(found.why).toEqual(['it waits for a person: red or blue?', 'ann on vm-a worked on it: epoch 1, attempt 1, claimed 0 s ago']);
    expect(found.mend[0]).toContain('cambium task release a');
  });

  test('tells the reviewer, the commit, and how to judge', () => {
    const found = explain('a', { tasks: [taskOf('a', { review: 'human' })], chains: [chainOf('a', 'review', { commit: 'abcdef0123456' })] });
    expect(found.why[0]).toContain('waits for a person to review abcdef0123');
    expect(found.mend.join(' ')).toContain('cambium task approve a');
  });
});

describe('an ended task', () => {
  test.each(['done', 'failed'] as const)('%s: how it ended, what the result says, and how to run it again', (outcome) => {
    const found = explain('a', { tasks: [taskOf('a')], results: [resultOf('a', outcome)], chains: [chainOf('a', outcome)], facts: { report: 'All 14 tests pass.' } });
    expect(found.why).toEqual([`${outcome} by ann on vm-a, epoch 1, after 1 attempt, at 2026-11-21T12:00:00Z`, 'All 14 tests pass.']);
    expect(found.mend).toEqual([outcome === 'done' ? 'To do it again: `cambium task reopen a --reason "…"`.' : 'Read tasks/a.result.md, then `cambium task retry a`.']);
  });

  test('cancelled: by whom and why', () => {
    const found = explain('a', { tasks: [taskOf('a')], results: [resultOf('a', 'cancelled')], chains: [chainOf('a', 'cancel', { reason: 'not needed', by: 'Maria' })] });
    expect(found.why).toEqual(['cancelled, at 2026-11-21T12:00:00Z', 'not needed (by Maria)']);
  });

  test('in its chain and not on main yet', () => {
    expect(explain('a', { tasks: [taskOf('a')], chains: [chainOf('a', 'done')], more: { unlanded: new Set(['a']) } }).why[0]).toContain('a push was applied by half');
  });
});

describe('a file that was set aside', () => {
  test('tells line, reason and mend', () => {
    const quarantine = [{ path: 'tasks/a.md', line: 3, reason: 'priority must be 0 to 4', mend: 'Write 0, 1, 2, 3 or 4.' }];
    expect(explain('a', { more: { quarantine } })).toEqual({ task: 'a', state: 'quarantined', why: ['tasks/a.md:3 priority must be 0 to 4'], mend: ['Write 0, 1, 2, 3 or 4.'], agents: [] });
  });
});

describe('an unknown id', () => {
  test.each<readonly [string, readonly string[]]>([
    ['shuot', ['shout']], ['add', ['add-login-k3f9']], ['login', ['add-login-k3f9']], ['zzz', []], ['greetings', ['greeting']],
  ])('%s: the ids that were meant', (id, near) => expect(nearIds(['shout', 'greeting', 'add-login-k3f9'], id)).toEqual(near));

  test('is none of ours', () => expect(() => explain('a', {})).toThrow('not known'));
});

test.each([[0, '0 s'], [89, '89 s'], [90, '2 min'], [5_399, '90 min'], [5_400, '2 h'], [172_800, '2 days'], [-5, '0 s']])('%i seconds are %s', (seconds, text) => expect(span(seconds)).toBe(text));
test('a time that is none is not told as an age', () => expect(agoOf('soon', NOW_S)).toBeNull());
