/** Answers whose right to answer is lost, doubtful or left behind (model/talk.ts, PROTOCOL P4). */
import { describe, expect, test } from 'vitest';
import { wakeMember } from '../../src/act/answer/wake.ts';
import { parseMessage } from '../../src/observe/messageFile.ts';
import type { Message } from '../../src/model/talk.ts';
import type { DueWake } from '../../src/orient/wakes.ts';
import { MAIN, TTL_MS, createMemoryFleet } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions, MemoryNode } from '../support/memoryFleet.ts';

const WAKE = 'refs/cambium/wakes/prime/design';

function answering(options: Partial<MemoryFleetOptions> & Pick<MemoryFleetOptions, 'nodes'>): Promise<MemoryFleet> {
  return createMemoryFleet({ provider: 'claude', ...options });
}

async function say(fleet: MemoryFleet, text: string, { from = 'human:maria', more = '' } = {}): Promise<string> {
  const id = fleet.clock.ulid();
  await fleet.commit({ [`agents/channels/design/${id}.md`]: `---\nschema: cambium.message/1\nid: ${id}\nfrom: ${from}\nchannel: design\nkind: say\n${more}at: 2026-11-21T00:00:00Z\n---\n${text}\n` });
  return id;
}

/** Everything said in the channel, as the reader of a node sees it. */
async function said(fleet: MemoryFleet, node = 'one'): Promise<readonly Message[]> {
  await fleet.node(node).pass();
  return fleet.node(node).loop.state.talk.conversations.flatMap(({ messages }) => messages);
}

/** Virtual time goes by for nodes that pass every two seconds. */
async function goBy(fleet: MemoryFleet, ms: number, ...nodes: readonly string[]): Promise<void> {
  for (let spentMs = 0; spentMs < ms; spentMs += 2_000) {
    await fleet.clock.advance(2_000);
    for (const node of nodes) await fleet.node(node).pass();
  }
}

const ledger = ({ records }: { readonly records: Map<string, string> }): readonly Record<string, unknown>[] =>
  [...records].filter(([key]) => key.startsWith('spawns/')).map(([, entry]) => JSON.parse((JSON.parse(entry) as { readonly text: string }).text) as Record<string, unknown>);

describe('the right to answer', () => {
  test('that a dead node left behind is cleared by whoever sees that nothing is to be answered any more', async () => {
    const fleet = await answering({ nodes: { one: ['prime'], two: ['zealot'] }, work: () => ({ afterMs: 3_600_000 }) });
    const asked = await say(fleet, '@prime hello');
    await fleet.node('one').rest();
    fleet.node('one').kill();
    await say(fleet, 'It was answered on the telephone.', { from: 'agent:prime', more: `answers: ["${asked}"]\n` });
    await goBy(fleet, TTL_MS / 2, 'two');
    expect(fleet.hub.refs.has(WAKE)).toBe(true);
    await goBy(fleet, TTL_MS, 'two');
    expect(fleet.hub.refs.has(WAKE)).toBe(false);
  });

  test('is gone and all of it is settled: the agent is stopped, and what it took is on record', async () => {
    const fleet = await answering({ nodes: { one: ['prime'] }, work: () => ({ afterMs: 30_000 }) });
    const asked = await say(fleet, '@prime hello');
    const one = fleet.node('one');
    await one.rest();
    fleet.hub.force(WAKE, null);
    await say(fleet, 'Mine.', { from: 'agent:prime', more: `answers: ["${asked}"]\n` });
    await one.rest();
    expect([one.machine.running(), (await said(fleet)).length]).toEqual([[], 2]);
    expect(ledger(one)).toMatchObject([{ agent: 'prime', purpose: 'message', outcome: 'fenced', messages: [asked] }]);
    expect((await one.machine.worktrees.list()).length).toBe(0);
  });

  test('is another node\'s: the agent is stopped, and nothing of it lands', async () => {
    const fleet = await answering({ nodes: { one: ['prime'] }, work: () => ({ afterMs: 30_000 }) });
    const asked = await say(fleet, '@prime hello');
    const one = fleet.node('one');
    await one.rest();
    const rival = await fleet.seat('rival');
    await rival.look();
    const due = { key: 'prime/design', agent: 'prime', place: { channel: 'design' }, messages: [{ id: asked }] } as unknown as DueWake;
    await rival.publish([wakeMember(rival.node, { due, lapsed: fleet.hub.refs.get(WAKE) as string, ttlMs: TTL_MS })]);
    const taken = fleet.hub.refs.get(WAKE);
    await one.rest();
    expect([one.machine.running(), one.machine.started.length, (await said(fleet)).length, fleet.hub.refs.get(WAKE)]).toEqual([[], 1, 1, taken]);
    await goBy(fleet, 2 * TTL_MS, 'one');
    expect([one.machine.started.length, (await said(fleet)).length, fleet.hub.refs.has(WAKE)]).toEqual([2, 2, false]);
  });

  test('is not renewed by a heartbeat after which another holds it: the supervisor ends the agent at the old deadline', async () => {
    const fleet = await answering({ nodes: { one: ['prime'] }, work: () => ({ afterMs: 3_600_000 }) });
    await say(fleet, '@prime hello');
    const one = fleet.node('one');
    await one.rest();
    const beganMs = fleet.clock.bootMs();
    one.afterPush = async (updates) => {
      if (updates.some(({ ref }) => ref === 'refs/cambium/nodes/one')) fleet.hub.force(WAKE, fleet.hub.refs.get(MAIN) as string);
    };
    await fleet.clock.advance(TTL_MS / 3 + 1_000);
    await one.pass();
    one.kill();
    await fleet.clock.advance(beganMs + (TTL_MS * 2) / 3 + 1_000 - fleet.clock.bootMs());
    expect(one.machine.running()).toEqual([]);
  });

  test('is doubtful once the clock has jumped: nothing is started before the hub has confirmed it', async () => {
    let [jump, tries] = [0, 0];
    const fleet = await answering({ nodes: { one: ['prime'] }, work: () => ({ afterMs: 5_000, exit: tries++ === 0 ? 1 : 0 }) });
    await say(fleet, '@prime hello');
    const one = fleet.node('one');
    const { clock } = one.node;
    await one.rest();
    Object.assign(one.loop.shop.node, { clock: { ...clock, bootMs: () => clock.bootMs(), now: () => new Date(clock.now().getTime() + jump) } });
    await fleet.clock.advance(5_000);
    jump = 3_600_000;
    one.fault = (updates) => (updates.some(({ ref }) => ref.startsWith('refs/cambium/nodes/')) ? 'lose-request' : 'ok');
    await one.pass();
    await one.pass();
    expect(one.machine.started.length).toBe(1);
    one.fault = () => 'ok';
    await goBy(fleet, 20_000, 'one');
    expect(one.machine.started.length).toBe(2);
  });

  test('is past its deadline: a second try waits for the hub instead of being stopped at once', async () => {
    let tries = 0;
    const fleet = await answering({ nodes: { one: ['prime'] }, work: () => ({ afterMs: 30_000, exit: tries++ === 0 ? 1 : 0 }) });
    await say(fleet, '@prime hello');
    const one = fleet.node('one');
    await one.rest();
    fleet.hub.away = true;
    await fleet.clock.advance(45_000);
    for (let turn = 0; turn < 3; turn++) await one.pass();
    expect(one.machine.started.length).toBe(1);
    fleet.hub.away = false;
    await goBy(fleet, 60_000, 'one');
    expect([one.machine.started.length, (await said(fleet)).length]).toEqual([2, 2]);
  });
});

describe('a landing', () => {
  test('of what another node has answered in part answers the rest', async () => {
    const fleet = await answering({ nodes: { one: ['prime'] }, work: () => ({ afterMs: 5_000, report: 'both' }) });
    const asked = [await say(fleet, '@prime one'), await say(fleet, '@prime two')];
    const one = fleet.node('one');
    await one.rest();
    await say(fleet, 'the first', { from: 'agent:prime', more: `answers: ["${asked[0]}"]\n` });
    await fleet.clock.advance(5_000);
    await one.rest();
    expect((await said(fleet)).flatMap(({ answers }) => answers)).toEqual(asked);
  });

  test('without an answer is waited for: nobody is asked a second time', async () => {
    const fleet = await answering({ nodes: { one: ['prime'] } });
    const one = fleet.node('one');
    one.fault = (updates) => (updates.some(({ ref }) => ref === MAIN) ? 'lose-request' : 'ok');
    await say(fleet, '@prime hello');
    for (let turn = 0; turn < 4; turn++) await one.pass();
    // The push that is repeated is refused then, and built anew.
    await fleet.commit({ 'other.txt': 'x\n' });
    one.fault = () => 'ok';
    await one.rest();
    expect([one.machine.started.length, (await said(fleet)).length, fleet.hub.refs.has(WAKE)]).toEqual([1, 2, false]);
  });

  test('that was applied by half is made whole: the kept work is on the hub, whichever half came first', async () => {
    const isKept = ({ ref }: { readonly ref: string }): number => Number(ref.startsWith('refs/cambium/wip/'));
    const orders: readonly MemoryNode['order'][] = [(updates) => updates, (updates) => updates.toReversed(), (updates) => updates.toSorted((a, b) => isKept(a) - isKept(b))];
    for (const order of orders) {
      const fleet = await answering({ nodes: { one: ['prime'] }, config: 'limits: { agents_per_node: 1 }\n', work: ({ task }) => (task === '' ? { files: { 'src/x.sql': 'x\n' } } : { afterMs: 3_600_000 }) });
      const one = fleet.node('one');
      let halved = 0;
      one.order = order;
      one.fault = (updates) => (updates.some(({ ref }) => ref === MAIN) && halved++ === 0 ? 'half' : 'ok');
      await say(fleet, '@prime add it');
      await one.rest(30);
      const own = (await said(fleet)).filter(({ from }) => from === 'agent:prime');
      const task = /as the task (changes-by-prime-[a-z0-9]{4})/.exec(own[0]?.text ?? '')?.[1] ?? '';
      expect([own.length, fleet.hub.refs.has(`refs/cambium/wip/${task}/0`), fleet.hub.refs.has(WAKE), halved > 0]).toEqual([1, true, false, true]);
    }
  });

  test('of an answer by a provider that cambium.yaml has no more says so', async () => {
    const fleet = await answering({ nodes: { one: ['prime'] } });
    const one = fleet.node('one');
    await say(fleet, '@prime hello');
    Object.defineProperty(one.loop.shop, 'providers', { configurable: true, get: () => (one.loop.state.answers.size > 0 ? new Map() : one.machine.providers) });
    await one.rest();
    expect((await said(fleet)).at(-1)).toMatchObject({ kind: 'system', text: 'prime could not answer: there is no provider claude\n' });
  });
});

describe('message files that an agent writes beside its answer', () => {
  const file = (id: string, front: string): Record<string, string> => ({ [`agents/channels/ops/${id}.md`]: `---\nschema: cambium.message/1\nid: ${id}\nchannel: ops\nat: now\n${front}---\n@zealot over to you\n` });

  test('carry its chain, whatever they say of their own', async () => {
    const fleet = await answering({ nodes: { one: ['prime', 'zealot'] }, config: 'roles: { worker: { write: [], add: ["agents/channels/**"] } }\n', work: () => ({ files: file('note', 'from: agent:prime\nchain: []\nhops: 0\n') }) });
    const asked = await say(fleet, '@prime go', { more: 'chain: [zealot]\n' });
    await fleet.node('one').rest();
    const text = (await fleet.file('agents/channels/ops/note.md')) ?? '';
    expect(parseMessage({ path: 'agents/channels/ops/note.md', bytes: Buffer.from(text) })).toMatchObject({ from: 'agent:prime', chain: ['zealot', 'prime'], hops: 1, thread: asked, answers: [], mentions: [] });
  });

  test('of others, or that nobody can read, do not land, and the answer says why', async () => {
    const files = { ...file('forged', 'from: human:boss\n'), ...file('broken', 'from: agent:prime\nhops: -1\n') };
    const fleet = await answering({ nodes: { one: ['prime', 'zealot'] }, config: 'roles: { worker: { write: [], add: ["agents/channels/**"] } }\n', work: () => ({ files }) });
    await say(fleet, '@prime go');
    await fleet.node('one').rest();
    expect([await fleet.file('agents/channels/ops/forged.md'), await fleet.file('agents/channels/ops/broken.md')]).toEqual([null, null]);
    expect((await said(fleet)).at(-1)?.text).toMatch(/forged\.md: it speaks as human:boss; an agent speaks as itself[\s\S]*broken|broken[\s\S]*it speaks as human:boss/);
    expect(fleet.node('one').machine.started.map(({ agent }) => agent)).toEqual(['prime']);
  });

  test('of a task\'s work speak for that agent too, or the work is sent back', async () => {
    const roles = 'roles: { worker: { write: ["*"], add: ["agents/channels/**"] } }\n';
    const own = await answering({ nodes: { one: ['prime'] }, config: roles, files: { 'tasks/a.md': '# A\n' }, work: ({ task }) => (task === 'a' ? { files: file('note', 'from: agent:prime\nhops: 0\n') } : {}) });
    await own.node('one').rest();
    expect(parseMessage({ path: 'agents/channels/ops/note.md', bytes: Buffer.from((await own.file('agents/channels/ops/note.md')) ?? '') })).toMatchObject({ from: 'agent:prime', chain: ['prime'], hops: 1, thread: null });
    const forged = await answering({ nodes: { one: ['prime'] }, config: roles, files: { 'tasks/a.md': '# A\n' }, work: () => ({ files: file('forged', 'from: human:boss\n') }) });
    await forged.node('one').rest();
    expect(await forged.file('agents/channels/ops/forged.md')).toBe(null);
    expect(forged.node('one').machine.started.find(({ feedback }) => feedback !== null)?.feedback).toContain('it speaks as human:boss; an agent speaks as itself');
  });
});
