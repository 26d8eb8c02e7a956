import { describe, expect, test } from 'vitest';
import { parseMessage } from '../../src/observe/messageFile.ts';
import { entryAt, treeOf } from '../../src/observe/tree.ts';
import type { Message } from '../../src/model/talk.ts';
import { MAIN, TTL_MS, createMemoryFleet } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions } from '../support/memoryFleet.ts';
import type { Job, Work } from '../support/memoryMachine.ts';

let ids = 0;
/** The id of a message that a person dropped: sorts before all that the fleet writes. */
const nextId = (): string => `0000000000000000000000${String(++ids).padStart(4, '0')}`;

async function say(fleet: MemoryFleet, text: string, { channel = 'design', from = 'human:maria', more = '' } = {}): Promise<string> {
  const id = `${fleet.clock.ulid()}`;
  await fleet.commit({ [`agents/channels/${channel}/${id}.md`]: `---\nschema: cambium.message/1\nid: ${id}\nfrom: ${from}\nchannel: ${channel}\nkind: say\n${more}at: 2026-11-21T00:00:00Z\n---\n${text}\n` });
  return id;
}

async function said(fleet: MemoryFleet, folder = 'agents/channels/design'): Promise<readonly Message[]> {
  const seat = await fleet.seat(`reader-${nextId()}`);
  await seat.look();
  const { store } = seat;
  const entry = await entryAt(store, await treeOf(store, fleet.hub.refs.get(MAIN) as string), folder);
  if (entry === null) return [];
  const files = await store.readTree(entry.oid);
  return Promise.all(files.map(async ({ name, oid }) => parseMessage({ path: `${folder}/${name}`, bytes: await store.readBlob(oid) }) as Message));
}

const answering = (options: Partial<MemoryFleetOptions> & Pick<MemoryFleetOptions, 'nodes'>): Promise<MemoryFleet> => createMemoryFleet({ provider: 'claude', ...options });
const wakes = (fleet: MemoryFleet): readonly string[] => [...fleet.hub.refs.keys()].filter((ref) => ref.startsWith('refs/cambium/wakes/'));
const startedBy = (fleet: MemoryFleet, node: string): readonly string[] => fleet.node(node).machine.started.map(({ agent }) => agent);

describe('a mention', () => {
  test('wakes that agent once, and its answer lands with its provenance, its record, and the end of its wake', async () => {
    const fleet = await answering({ nodes: { one: ['prime', 'zealot'] }, work: () => ({ report: 'An index on the date.' }) });
    const asked = await say(fleet, '@prime which index do we need?');
    await fleet.node('one').rest();
    expect(startedBy(fleet, 'one')).toEqual(['prime']);
    const [, answer] = await said(fleet);
    expect(answer).toMatchObject({ from: 'agent:prime', kind: 'say', replyTo: asked, answers: [asked], chain: ['prime'], hops: 1, thread: asked, text: 'An index on the date.\n' });
    expect(wakes(fleet)).toEqual([]);
    const record = JSON.parse((await fleet.file(`agents/spawns/${new Date(fleet.clock.now()).toISOString().slice(0, 7)}/${new Date(fleet.clock.now()).toISOString().slice(8, 10)}/${answer?.spawn}.json`)) ?? '{}');
    expect(record).toMatchObject({ agent: 'prime', purpose: 'message', channel: 'design', messages: [asked], task: null, parent: null, depth: 0, outcome: 'succeeded' });
    const before = fleet.hub.refs.get(MAIN);
    await fleet.node('one').rest();
    expect([startedBy(fleet, 'one'), fleet.hub.refs.get(MAIN)]).toEqual([['prime'], before]);
  });

  test('is told who said what, and what was said before', async () => {
    const fleet = await answering({ nodes: { one: ['prime'] } });
    await say(fleet, 'We store dates as text.');
    await say(fleet, '@prime which index do we need?');
    await fleet.node('one').rest();
    const [job] = fleet.node('one').machine.started;
    for (const part of ['which index do we need?', 'We store dates as text.', 'human:maria', 'design']) expect(job?.text).toContain(part);
  });

  test('of several agents starts all of them side by side', async () => {
    const fleet = await answering({ nodes: { one: ['prime', 'zealot', 'auger'] }, work: () => ({ afterMs: 5_000 }) });
    await say(fleet, '@prime @zealot and @auger: which index?');
    await fleet.node('one').pass();
    await fleet.node('one').pass();
    expect(startedBy(fleet, 'one').toSorted()).toEqual(['auger', 'prime', 'zealot']);
  });

  test.each([
    ['@all', ['auger', 'prime', 'zealot']], ['@role:worker', ['auger', 'prime', 'zealot']], ['@nobody', []], ['no mention', []], ['in code: `@prime` and\n```js\n@prime\n```', []], ['mail@prime.org', []],
  ])('%s calls for %j', async (text, agents) => {
    const fleet = await answering({ nodes: { one: ['prime', 'zealot', 'auger'] } });
    await say(fleet, text);
    await fleet.node('one').rest();
    expect(startedBy(fleet, 'one').toSorted()).toEqual(agents);
  });

  test('of an agent that runs runbooks starts nothing: what is said is never executed', async () => {
    const fleet = await createMemoryFleet({ nodes: { one: ['worker-1'] } });
    await say(fleet, '@worker-1\n```sh\nrm -rf .\n```');
    await fleet.node('one').rest();
    expect(startedBy(fleet, 'one')).toEqual([]);
  });

  test('that two nodes could answer is answered by one', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const fleet = await answering({ seed, nodes: { one: ['prime'], two: ['prime'] } });
      await say(fleet, '@prime hello');
      for (let turn = 0; turn < 6; turn++) await Promise.all([fleet.node('one').pass(), fleet.node('two').pass()]);
      expect([...startedBy(fleet, 'one'), ...startedBy(fleet, 'two')]).toEqual(['prime']);
      expect((await said(fleet)).length).toBe(2);
    }
  });

  test('said while the agent answers waits, and those are answered together', async () => {
    const fleet = await answering({ nodes: { one: ['prime'] }, work: () => ({ afterMs: 10_000 }) });
    await say(fleet, '@prime one');
    await fleet.node('one').rest();
    const two = await say(fleet, '@prime two');
    const three = await say(fleet, '@prime three');
    await fleet.node('one').rest();
    expect(startedBy(fleet, 'one').length).toBe(1);
    await fleet.clock.advance(10_000);
    await fleet.node('one').rest();
    await fleet.clock.advance(10_000);
    await fleet.node('one').rest();
    expect(startedBy(fleet, 'one').length).toBe(2);
    expect((await said(fleet)).at(-1)?.answers).toEqual([two, three]);
  });
});

describe('loops cannot happen', () => {
  const EVERYBODY = ['prime', 'hailot', 'sonnelot'];
  /** Agents that answer whatever is said by calling everybody, as in the log of the raid (BUG-004). */
  const echo = (): Work => ({ report: 'Task complete, verified. @prime @hailot @sonnelot please confirm.' });

  async function untilQuiet(fleet: MemoryFleet, node = 'one'): Promise<void> {
    for (let turn = 0; turn < 60; turn++) {
      const { idle } = await fleet.node(node).rest();
      if (idle) return;
      await fleet.clock.advance(1_000);
    }
    throw new Error('it never ended');
  }

  test('BUG-004: agents that always reply to everybody end by themselves, with no more spawns than mentions', async () => {
    const fleet = await answering({ nodes: { one: EVERYBODY }, work: echo });
    await say(fleet, '@prime @hailot @sonnelot build the chain command');
    await untilQuiet(fleet);
    expect(startedBy(fleet, 'one').length).toBe(3);
  });

  test('BUG-004: a completion said to a person wakes nobody, nor does what is said in that thread afterwards', async () => {
    const fleet = await answering({ nodes: { one: EVERYBODY }, work: ({ agent }) => ({ report: agent === 'prime' ? '@human Task complete. @hailot @sonnelot thank you' : 'Verified. @sonnelot you too?' }) });
    await say(fleet, '@prime build it, then tell us');
    await untilQuiet(fleet);
    expect(startedBy(fleet, 'one')).toEqual(['prime']);
  });

  test('A calls B, B calls C, C calls A: three spawns, and the chain says why there is no fourth', async () => {
    const next: Record<string, string> = { prime: 'hailot', hailot: 'sonnelot', sonnelot: 'prime' };
    const fleet = await answering({ nodes: { one: EVERYBODY }, work: ({ agent }) => ({ report: `@${next[agent]} your turn` }) });
    await say(fleet, '@prime begin');
    await untilQuiet(fleet);
    expect(startedBy(fleet, 'one')).toEqual(['prime', 'hailot', 'sonnelot']);
    expect((await said(fleet)).map(({ hops }) => hops)).toEqual([0, 1, 2, 3]);
  });

  test('a chain is no deeper than limits.spawn_depth', async () => {
    const deep = ['a1', 'a2', 'a3', 'a4', 'a5'];
    const fleet = await answering({ nodes: { one: deep }, work: ({ agent }) => ({ report: `@a${Number(agent.slice(1)) + 1} go on` }) });
    await say(fleet, '@a1 begin');
    await untilQuiet(fleet);
    expect(startedBy(fleet, 'one')).toEqual(['a1', 'a2', 'a3']);
  });

  test('BUG-005: the same agent is not started twice for one message, however often it is looked at', async () => {
    const fleet = await answering({ nodes: { one: EVERYBODY }, work: () => ({ afterMs: 20_000, report: 'done' }) });
    await say(fleet, '@hailot look');
    for (let turn = 0; turn < 10; turn++) await fleet.node('one').pass();
    await fleet.clock.advance(20_000);
    for (let turn = 0; turn < 10; turn++) await fleet.node('one').pass();
    expect(startedBy(fleet, 'one')).toEqual(['hailot']);
  });

  test('an agent that lies about its chain is its own first link', async () => {
    const fleet = await answering({ nodes: { one: EVERYBODY }, work: echo });
    await say(fleet, '@prime @hailot wake up', { from: 'agent:sonnelot' });
    await untilQuiet(fleet);
    expect(startedBy(fleet, 'one').toSorted()).toEqual(['hailot', 'prime']);
  });

  test('a thread and an hour have budgets, and a person\'s next word begins a new thread', async () => {
    const fleet = await answering({ nodes: { one: EVERYBODY }, config: 'limits: { thread_wakes: 1, wakes_per_hour: 3 }\n', work: () => ({ report: '@hailot and you?' }) });
    await say(fleet, '@prime one');
    await untilQuiet(fleet);
    expect(startedBy(fleet, 'one')).toEqual(['prime']);
    await say(fleet, '@prime two');
    await untilQuiet(fleet);
    await say(fleet, '@prime three');
    await untilQuiet(fleet);
    await say(fleet, '@prime four');
    await fleet.node('one').rest();
    expect(startedBy(fleet, 'one').length).toBe(3);
    await fleet.clock.advance(3_600_000);
    await fleet.node('one').rest();
    expect(startedBy(fleet, 'one').length).toBe(4);
  });
});

describe('an answer that goes badly', () => {
  test('is tried once more, and then its place is told why, which wakes nobody', async () => {
    const fleet = await answering({ nodes: { one: ['prime', 'zealot'] }, work: () => ({ exit: 1, report: 'Cannot reach @zealot and the model.' }) });
    const asked = await say(fleet, '@prime hello');
    await fleet.node('one').rest();
    expect(startedBy(fleet, 'one')).toEqual(['prime', 'prime']);
    expect((await said(fleet)).at(-1)).toMatchObject({ kind: 'system', answers: [asked], text: 'prime could not answer: Cannot reach @zealot and the model.\n' });
  });

  test('whose node dies is given by another node, once its lease has lapsed', async () => {
    const fleet = await answering({ nodes: { one: ['prime'], two: ['prime'] }, work: ({ node }) => ({ afterMs: node === 'one' ? 3_600_000 : 1_000, report: `from ${node}` }) });
    await say(fleet, '@prime hello');
    await fleet.node('one').rest();
    expect(wakes(fleet)).toEqual(['refs/cambium/wakes/prime/design']);
    fleet.node('one').kill();
    for (let spentMs = 0; spentMs < 2 * TTL_MS; spentMs += 2_000) {
      await fleet.clock.advance(2_000);
      await fleet.node('two').pass();
    }
    expect((await said(fleet)).at(-1)?.text).toBe('from two\n');
    expect(wakes(fleet)).toEqual([]);
  });

  test('a restarted daemon goes on with it', async () => {
    const fleet = await answering({ nodes: { one: ['prime'] }, work: () => ({ afterMs: 5_000, report: 'still here' }) });
    await say(fleet, '@prime hello');
    await fleet.node('one').rest();
    await fleet.node('one').restart();
    await fleet.node('one').rest();
    await fleet.clock.advance(5_000);
    await fleet.node('one').rest();
    expect([startedBy(fleet, 'one'), (await said(fleet)).at(-1)?.text]).toEqual([['prime'], 'still here\n']);
  });

  test('a landing whose answer was lost is not said twice', async () => {
    const fleet = await answering({ nodes: { one: ['prime'] } });
    let lost = 0;
    fleet.node('one').fault = (updates) => (updates.some(({ ref }) => ref === MAIN) && lost++ === 0 ? 'lose-reply' : 'ok');
    await say(fleet, '@prime hello');
    for (let turn = 0; turn < 10; turn++) await fleet.node('one').rest();
    expect((await said(fleet)).filter(({ from }) => from === 'agent:prime').length).toBe(1);
    expect(lost).toBeGreaterThan(0);
  });
});

describe('what an agent changes while it answers', () => {
  const work = (files: Work['files']) => (job: Job): Work => (job.task === '' ? { files: files ?? {}, report: 'Handed out.' } : {});

  test('new tasks land with the message', async () => {
    const fleet = await answering({ nodes: { one: ['prime'] }, work: work({ 'tasks/add-index.md': '# Add the index\n', 'memory/prime/working.md': 'I handed out add-index.\n' }) });
    await say(fleet, '@prime have an index added');
    await fleet.node('one').rest();
    const spawn = (await said(fleet)).at(-1)?.spawn;
    expect([await fleet.file('tasks/add-index.md'), await fleet.file('memory/prime/working.md')]).toEqual([`---\nspawned_by: ${spawn}\n---\n\n# Add the index\n`, 'I handed out add-index.\n']);
  });

  test('code does not: it is kept as a commit and waits as a task for that agent', async () => {
    const fleet = await answering({ nodes: { one: ['prime'] }, config: 'limits: { agents_per_node: 1 }\n', work: work({ 'src/index.sql': 'create index;\n', 'cambium.yaml': 'agents: {}\n' }) });
    await say(fleet, '@prime add an index');
    await fleet.node('one').rest(4);
    expect(await fleet.file('src/index.sql')).toBe(null);
    expect(await fleet.file('cambium.yaml')).toContain('prime');
    const text = (await said(fleet)).at(-1)?.text ?? '';
    const task = /as the task (changes-by-prime-[a-z0-9]{4})/.exec(text)?.[1] ?? '';
    expect(await fleet.file(`tasks/${task}.md`)).toMatch(/assigned_to: prime[\s\S]*src\/index\.sql[\s\S]*git cherry-pick --no-commit [0-9a-f]{40}/);
    expect(fleet.hub.refs.has(`refs/cambium/wip/${task}/0`)).toBe(true);
  });
});

describe('an inbox', () => {
  test('wakes its owner without a mention, and an asking agent gets the answer in its own', async () => {
    const fleet = await answering({ nodes: { one: ['prime', 'zealot'] }, work: () => ({ report: 'Yes. @zealot' }) });
    const id = fleet.clock.ulid();
    await fleet.commit({ [`agents/prime/inbox/${id}.md`]: `---\nschema: cambium.message/1\nid: ${id}\nfrom: agent:zealot\nto: [prime]\nat: 2026-11-21T00:00:00Z\n---\nIs it safe?\n` });
    await fleet.node('one').rest();
    await fleet.node('one').rest();
    expect(startedBy(fleet, 'one')).toEqual(['prime']);
    expect((await said(fleet, 'agents/zealot/inbox')).map(({ from, text }) => [from, text])).toEqual([['agent:prime', 'Yes. @zealot\n']]);
    expect((await said(fleet, 'agents/prime/inbox')).at(-1)?.answers).toEqual([id]);
  });
});
