import { describe, expect, test } from 'vitest';
import { approveMember } from '../../src/act/review.ts';
import { DEFAULT_CONFIG } from '../../src/observe/fleetConfig.ts';
import { reviewWord } from '../../src/model/reviewer.ts';
import { reviewerOf } from '../../src/orient/reviewer.ts';
import type { AgentConfig, FleetConfig } from '../../src/model/config.ts';
import type { ClaimRecord } from '../../src/model/claim.ts';
import { createMemoryFleet } from '../support/memoryFleet.ts';
import type { MemoryFleet } from '../support/memoryFleet.ts';

const inboxOf = async (fleet: MemoryFleet, agent: string): Promise<readonly string[]> => {
  const seat = await fleet.seat(`reader-${agent}-${fleet.clock.ulid()}`);
  const { main } = await seat.look();
  const { entryAt } = await import('../../src/observe/tree.ts');
  const folder = await entryAt(seat.store, main.tree, `agents/${agent}/inbox`);
  return folder === null ? [] : (await seat.store.readTree(folder.oid)).map(({ name }) => name);
};

const reviewed = (review: string, nodes: Readonly<Record<string, readonly string[]>>): Promise<MemoryFleet> =>
  createMemoryFleet({ provider: 'claude', nodes, files: { 'tasks/add.md': `---\ntitle: Add it\nreview: ${review}\nassigned_to: worker-1\nacceptance_criteria: []\n---\nAdd it.\n` }, work: ({ task }) => (task === 'add' ? { files: { 'it.txt': 'it\n' } } : { report: 'I looked.' }) });

describe('work that an agent is to judge', () => {
  test('wakes that agent, with what to judge and how, and lands when it approves', async () => {
    const fleet = await reviewed('rita', { one: ['worker-1', 'rita'] });
    await fleet.node('one').rest(4);
    const { record } = await fleet.tip('add');
    expect(record).toMatchObject({ kind: 'review', provider: 'claude' });
    const told = fleet.node('one').machine.started.filter(({ agent }) => agent === 'rita');
    expect(told.length).toBe(1);
    for (const part of [`cambium task approve add --commit ${record.commit}`, `cambium task reject add --commit ${record.commit}`, 'done by worker-1']) expect(told[0]?.text).toContain(part);
    const seat = await fleet.seat('rita');
    await seat.look();
    await seat.publish([approveMember(seat.node, seat.reader, { task: 'add', commit: String(record.commit), by: { name: 'rita', email: 'rita@example.org', seconds: 1_795_219_200, zone: '+0000' }, why: 'it holds' })]);
    await fleet.node('one').rest();
    expect(await fleet.file('it.txt')).toBe('it\n');
  });

  test('is asked for by one message, however many nodes see it', async () => {
    const fleet = await reviewed('rita', { one: ['worker-1', 'rita'], two: ['rita'], three: [] });
    for (let turn = 0; turn < 8; turn++) await Promise.all(['one', 'two', 'three'].map((name) => fleet.node(name).pass()));
    const asked = (await inboxOf(fleet, 'rita')).filter((name) => name.startsWith('review-'));
    // The second is the reminder: this reviewer judges nothing.
    expect(asked.length).toBe(2);
    expect(['one', 'two'].flatMap((name) => fleet.node(name).machine.started).filter(({ agent }) => agent === 'rita').length).toBe(2);
  });

  test('is for a person when the reviewer has ended twice without a judgement', async () => {
    const fleet = await reviewed('rita', { one: ['worker-1', 'rita'] });
    for (let turn = 0; turn < 5; turn++) await fleet.node('one').rest();
    expect(fleet.node('one').machine.started.filter(({ agent }) => agent === 'rita').length).toBe(2);
    expect((await fleet.tip('add')).record.kind).toBe('review');
  });

  test('is not the author\'s to judge', async () => {
    const fleet = await reviewed('worker-1', { one: ['worker-1'] });
    await fleet.node('one').rest();
    expect(fleet.node('one').machine.started.map(({ task }) => task)).toEqual(['add']);
  });
});

describe('who judges', () => {
  const agent = (more: Partial<AgentConfig>): AgentConfig => ({ role: 'worker', node: '*', provider: 'claude', model: null, fallback: [], capabilities: [], constitution: null, sandbox: 'auto', handle: null, ...more }) as AgentConfig;
  const config: FleetConfig = {
    ...DEFAULT_CONFIG, agents: { ann: agent({}), bob: agent({ provider: 'codex' }), carl: agent({ provider: 'gemini', role: 'reviewer' }), dora: agent({ role: 'reviewer' }), run: agent({ provider: 'runbook' }), lou: agent({ provider: 'local' }) },
    providers: { local: { kind: 'codex', command: [], env: {}, baseUrl: 'http://127.0.0.1:11434/v1', models: {} } },
  };
  const record = (more: Partial<ClaimRecord>): ClaimRecord => ({ agent: 'ann', ...more }) as ClaimRecord;

  test.each([
    ['human', {}, { person: 'it waits for a person' }],
    ['dora', {}, { agent: 'dora' }],
    ['ann', {}, { person: 'ann did the work itself' }],
    ['role:reviewer', {}, { agent: 'carl' }],
    ['role:reviewer', { agent: 'carl' }, { agent: 'dora' }],
    ['different_provider', {}, { agent: 'carl' }],
    // It fell back to gemini, so what gemini did is not gemini's to judge, whatever ann runs by default.
    ['different_provider', { provider: 'gemini' }, { agent: 'dora' }],
    ['different_provider', { agent: 'bob', provider: 'codex' }, { agent: 'carl' }],
  ] as const)('%s of %j: %j', (review, more, reviewer) => expect(reviewerOf(config, review, record(more))).toEqual(reviewer));

  test('nobody of another family: a person', () => {
    const alone = { ...config, agents: { ann: agent({}), dora: agent({ role: 'reviewer' }), run: agent({ provider: 'runbook' }) } };
    expect(reviewerOf(alone, 'different_provider', record({}))).toEqual({ person: 'no agent here is of another model family than anthropic' });
  });

  test('the same model asked elsewhere is another family', () => {
    const two = { ...config, agents: { bob: agent({ provider: 'codex' }), lou: agent({ provider: 'local' }) } };
    expect(reviewerOf(two, 'different_provider', record({ agent: 'bob', provider: 'codex' }))).toEqual({ agent: 'lou' });
  });

  test.each([
    ['human', 'human'], ['rita', 'rita'], ['different_provider', 'different_provider'], [{ agent: 'rita' }, 'rita'], [{ role: 'reviewer' }, 'role:reviewer'], [{ different_provider: true }, 'different_provider'],
    [{ different_provider: false }, null], [{ agent: 'rita', role: 'x' }, null], [{ agent: 'No' }, null], [['rita'], null], [7, null], [{ who: 'rita' }, null],
  ])('%j is read as %j', (value, word) => expect(reviewWord(value)).toBe(word));
});
