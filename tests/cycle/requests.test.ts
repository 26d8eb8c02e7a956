/** Requests and delegated tasks in a fleet of two nodes: who is told what, how often, and what agents may hand on. */
import { describe, expect, test } from 'vitest';
import { parseMessage } from '../../src/observe/messageFile.ts';
import { entryAt, treeOf } from '../../src/observe/tree.ts';
import { orientRequests } from '../../src/orient/requests.ts';
import type { Request } from '../../src/orient/requests.ts';
import { orient } from '../../src/orient/situation.ts';
import { createTalkReader } from '../../src/observe/talk.ts';
import type { Message } from '../../src/model/talk.ts';
import { MAIN, createMemoryFleet } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions } from '../support/memoryFleet.ts';
import type { Job, Work } from '../support/memoryMachine.ts';

const INBOX = 'agents/lead/inbox';
const config = (limits = ''): string => `schema: cambium.fleet/1\ntimings: { ttl: 60s, heartbeat: 20s, fetch: 2s, grace: 5s }\ndefaults: { provider: claude, max_attempts: 1, timeout_minutes: 60 }\nlimits: { agents_per_node: 4${limits} }\nagents:\n  lead: { role: coordinator, provider: claude }\n  ann: { role: worker, node: one, provider: claude }\n  bob: { role: worker, node: two, provider: claude }\n`;

/** What the coordinator does: told what it was woken with, and how often it was woken before. */
type Lead = (job: Job, times: number) => Work;

async function fleetOf(lead: Lead, work: (job: Job) => Work = () => ({}), options: Partial<MemoryFleetOptions> & { readonly limits?: string } = {}): Promise<MemoryFleet> {
  let times = 0;
  return createMemoryFleet({
    provider: 'claude', nodes: { one: ['lead', 'ann'], two: ['lead', 'bob'] }, work: (job) => (job.agent === 'lead' ? lead(job, times++) : work(job)), ...options,
    files: { 'cambium.yaml': config(options.limits), ...options.files },
  });
}

async function ask(fleet: MemoryFleet, text: string, more = 'request: true\n'): Promise<string> {
  const id = fleet.clock.ulid();
  await fleet.commit({ [`${INBOX}/${id}.md`]: `---\nschema: cambium.message/1\nid: ${id}\nfrom: human:maria\nto: [lead]\n${more}at: 2026-11-21T00:00:00Z\n---\n${text}\n` });
  return id;
}

async function inbox(fleet: MemoryFleet): Promise<readonly Message[]> {
  const seat = await fleet.seat(`reader-${fleet.clock.ulid()}`);
  await seat.look();
  const folder = await entryAt(seat.store, await treeOf(seat.store, fleet.hub.refs.get(MAIN) as string), INBOX);
  const files = folder === null ? [] : await seat.store.readTree(folder.oid);
  return Promise.all(files.map(async ({ name, oid }) => parseMessage({ path: `${INBOX}/${name}`, bytes: await seat.store.readBlob(oid) }) as Message));
}

const rounds = async (fleet: MemoryFleet): Promise<readonly Message[]> => (await inbox(fleet)).filter(({ from }) => from.startsWith('node:'));
const wakings = (fleet: MemoryFleet): number => ['one', 'two'].flatMap((name) => fleet.node(name).machine.started).filter(({ agent }) => agent === 'lead').length;

async function requestOf(fleet: MemoryFleet, id: string): Promise<Request> {
  const seat = await fleet.seat(`looker-${fleet.clock.ulid()}`);
  const seen = await seat.look();
  const { conversations } = await createTalkReader(seat.store).read(seat.node.mirror.known());
  return orientRequests(seen, orient(seen, fleet.clock.now().toISOString()), conversations).find(({ message }) => message.id === id) as Request;
}

/** Both nodes, until neither has anything to do. */
async function untilQuiet(fleet: MemoryFleet): Promise<void> {
  for (let turn = 0; turn < 80; turn++) {
    const idle = [(await fleet.node('one').rest()).idle, (await fleet.node('two').rest()).idle];
    if (!idle.includes(false)) return;
    await fleet.clock.advance(2_000);
  }
  throw new Error('it never ended');
}

const task = (front = ''): string => `---\ntitle: A part\n${front}---\n\n# A part\n\nDo it.\n`;

describe('a request', () => {
  test('is cut into tasks that land with the answer, its coordinator is told once when they have ended, and its report ends it', async () => {
    const fleet = await fleetOf((_job, times) => (times === 0 ? { files: { 'tasks/part-a.md': task(), 'tasks/part-b.md': task('depends_on: [part-a]\n') }, report: 'Two parts.' } : { report: '@human both parts are there.' }), () => ({ report: 'It stands in part.txt.' }));
    const id = await ask(fleet, 'Build the whole.');
    await untilQuiet(fleet);
    const told = await rounds(fleet);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ from: expect.stringMatching(/^node:(one|two)$/) as string, kind: 'say', replyTo: id, thread: id, tasks: ['part-a@1:done', 'part-b@1:done'], hops: 0, chain: [] });
    for (const part of ['All tasks of it that were open have ended.', '> Build the whole.', '- `part-a` (A part): done by', '> It stands in part.txt.', '@human']) expect(told[0]?.text).toContain(part);
    expect(wakings(fleet)).toBe(2);
    expect(await requestOf(fleet, id)).toMatchObject({ state: 'done', told: 1, round: null });
    const before = fleet.hub.refs.get(MAIN);
    await fleet.node('one').rest();
    await fleet.node('two').rest();
    expect(fleet.hub.refs.get(MAIN)).toBe(before);
  });

  test('marks its tasks with the request and the spawn, whatever they say of it, and leaves the rest of their front matter as it is', async () => {
    const fleet = await fleetOf((_job, times) => (times === 0 ? { files: { 'tasks/a.md': '---\n# why first\ntitle: A # the first\nspawned_by: 01JD0Z8M3N4P5Q6R7S8T9V0W1X\nrequest: another\n---\nDo it.\n', 'tasks/b.md': '# Only a heading\n\nDo it.\n' } } : { report: '@human done' }));
    const id = await ask(fleet, 'Build it.');
    await untilQuiet(fleet);
    const answer = (await inbox(fleet)).find(({ answers }) => answers.includes(id));
    expect(await fleet.file('tasks/a.md')).toBe(`---\n# why first\ntitle: A # the first\nspawned_by: ${answer?.spawn}\nrequest: ${id}\n---\nDo it.\n`);
    expect(await fleet.file('tasks/b.md')).toBe(`---\nrequest: ${id}\nspawned_by: ${answer?.spawn}\n---\n\n# Only a heading\n\nDo it.\n`);
    const result = /^spawns: \[\s*"?(\w+)"?\s*\]$/m.exec((await fleet.file('tasks/a.result.md')) ?? '')?.[1] ?? '';
    const day = fleet.clock.now().toISOString();
    expect(JSON.parse((await fleet.file(`agents/spawns/${day.slice(0, 7)}/${day.slice(8, 10)}/${result}.json`)) ?? '{}')).toMatchObject({ agent: expect.stringMatching(/ann|bob/) as string, parent: answer?.spawn, depth: 1 });
  });

  test('is told of a task that fails, and of those that it holds up, and goes on with what the coordinator adds', async () => {
    const fleet = await fleetOf((_job, times) => (times === 0 ? { files: { 'tasks/a.md': task(), 'tasks/b.md': task('depends_on: [a]\n') } } : times === 1 ? { files: { 'tasks/c.md': task() }, report: 'Another way.' } : { report: '@human c is there; a failed, so b is left.' }), (job) => (job.task === 'a' ? { exit: 1, retryable: false, report: 'No compiler here.' } : {}));
    const id = await ask(fleet, 'Build it.');
    await untilQuiet(fleet);
    expect((await rounds(fleet)).map(({ tasks }) => tasks)).toEqual([['a@1:failed', 'b@0:blocked'], ['c@1:done']]);
    expect((await rounds(fleet))[0]?.text).toContain('No compiler here.');
    expect(await requestOf(fleet, id)).toMatchObject({ state: 'input', reason: 'b: blocked', told: 2 });
    expect(wakings(fleet)).toBe(3);
  });

  test('is told of a task that asks for a person while others go on, once, and of the others when they have ended', async () => {
    const fleet = await fleetOf((_job, times) => (times === 0 ? { files: { 'tasks/a.md': task('review: human\n'), 'tasks/b.md': task() } } : { report: times === 1 ? 'I wait for b.' : '@human look at a, please.' }), (job) => ({ files: { [`${job.task}.txt`]: 'x\n' }, afterMs: job.task === 'b' ? 40_000 : 0 }));
    const id = await ask(fleet, 'Build it.');
    for (let turn = 0; turn < 5; turn++) for (const name of ['one', 'two']) await fleet.node(name).rest();
    const [asks] = await rounds(fleet);
    expect(asks?.tasks).toEqual(['a@1:review']);
    for (const part of ['A task asks for a person while others go on.', '- `a` (A part): review: waits for a person', 'Still going on: b (held).', 'you are told again']) expect(asks?.text).toContain(part);
    expect(await requestOf(fleet, id)).toMatchObject({ state: 'working', told: 1 });
    await untilQuiet(fleet);
    expect((await rounds(fleet)).map(({ tasks }) => tasks)).toEqual([['a@1:review'], ['b@1:done']]);
    expect(await requestOf(fleet, id)).toMatchObject({ state: 'input', reason: 'a: review' });
  });

  test('is told of once by two nodes that look at the same moment, killed and restarted wherever they push', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const fleet = await fleetOf((_job, times) => (times === 0 ? { files: { 'tasks/a.md': task(), 'tasks/b.md': task() } } : { report: '@human done' }), () => ({}), { seed });
      const id = await ask(fleet, 'Build it.');
      let pushes = 0;
      for (const name of ['one', 'two']) {
        fleet.node(name).afterPush = async (updates) => {
          if (updates.some(({ ref }) => ref === MAIN) && ++pushes % 5 === seed % 5 && pushes < 25) fleet.node(name).kill();
        };
      }
      let state = '';
      for (let turn = 0; turn < 120 && state !== 'done'; turn++) {
        await Promise.all(['one', 'two'].map(async (name) => fleet.node(name).pass().catch(async (error: unknown) => {
          if (!String(error).includes('killed')) throw error;
          await fleet.node(name).restart();
        })));
        await fleet.clock.advance(3_000);
        ({ state } = await requestOf(fleet, id));
      }
      expect([seed, state]).toEqual([seed, 'done']);
      const told = await rounds(fleet);
      expect(told.map(({ id: round }) => round)).toEqual([...new Set(told.map(({ id: round }) => round))]);
      const tags = told.flatMap(({ tasks }) => tasks ?? []);
      expect(tags.toSorted()).toEqual(['a@', 'b@'].map((start) => tags.find((tag) => tag.startsWith(start))));
      expect((await inbox(fleet)).flatMap(({ answers }) => answers).length).toBe(1 + told.length);
    }
  });

  test('is told of by one node, where another has told it between its look and its push', async () => {
    const fleet = await fleetOf(() => ({ report: '@human nothing is to be done', afterMs: 1e9 }));
    const id = await ask(fleet, 'Build it.');
    const answer = fleet.clock.ulid();
    await fleet.commit({ [`${INBOX}/${answer}.md`]: `---\nschema: cambium.message/1\nid: ${answer}\nfrom: agent:lead\nto: [lead]\nanswers: [${id}]\nat: 2026-11-21T00:00:00Z\n---\nHm.\n` });
    const [one, two] = [fleet.node('one'), fleet.node('two')];
    let refused = 0;
    two.fault = (updates) => (updates.some(({ ref }) => ref === MAIN) && refused++ === 0 ? 'refuse' : 'ok');
    two.afterPush = async () => {
      two.afterPush = undefined;
      await one.pass();
    };
    await two.pass();
    expect(refused).toBeGreaterThan(0);
    expect((await rounds(fleet)).map(({ from }) => from)).toEqual(['node:one']);
  });

  test('whose coordinator neither adds tasks nor calls a person is asked again, at most limits.request_rounds times', async () => {
    const fleet = await fleetOf(() => ({ report: 'I am thinking.' }), () => ({}), { limits: ', request_rounds: 3' });
    const id = await ask(fleet, 'Build it.');
    await untilQuiet(fleet);
    expect(await rounds(fleet)).toHaveLength(3);
    expect(wakings(fleet)).toBe(4);
    expect(await requestOf(fleet, id)).toMatchObject({ state: 'failed', reason: 'all 3 rounds are used up (limits.request_rounds)' });
    await ask(fleet, 'Go on, with plain files.', `reply_to: ${id}\n`);
    await untilQuiet(fleet);
    expect(await rounds(fleet)).toHaveLength(6);
    expect((await requestOf(fleet, id)).state).toBe('failed');
  });

  test('that always finds more to do ends by itself', async () => {
    const fleet = await fleetOf((_job, times) => ({ files: { [`tasks/part-${times}.md`]: task() }, report: '@human one more part.' }));
    const id = await ask(fleet, 'Build it.');
    await untilQuiet(fleet);
    expect(await rounds(fleet)).toHaveLength(8);
    expect(wakings(fleet)).toBe(9);
    expect((await requestOf(fleet, id)).state).toBe('failed');
  });

  test('whose coordinator cannot answer is left to a person', async () => {
    const fleet = await fleetOf(() => ({ exit: 1, report: 'It broke.' }));
    const id = await ask(fleet, 'Build it.');
    await untilQuiet(fleet);
    expect(await requestOf(fleet, id)).toMatchObject({ state: 'failed', reason: 'lead could not answer: It broke.', told: 0 });
    expect(wakings(fleet)).toBe(2);
  });

  test('is answered by itself, so that each has its own tasks', async () => {
    const fleet = await fleetOf((_job, times) => (times < 2 ? { files: { [`tasks/${['one', 'two'][times]}.md`]: task() } } : { report: '@human done' }));
    const [first, second] = [await ask(fleet, 'Build the first.'), await ask(fleet, 'Build the second.')];
    await untilQuiet(fleet);
    expect([(await requestOf(fleet, first)).tasks.map((each) => each.task.id), (await requestOf(fleet, second)).tasks.map((each) => each.task.id)]).toEqual([['one'], ['two']]);
    for (const id of [first, second]) expect(await requestOf(fleet, id)).toMatchObject({ state: 'done', told: 1 });
  });

  test('is not one where an agent says so', async () => {
    const fleet = await fleetOf(() => ({ report: 'Hm.' }));
    const id = fleet.clock.ulid();
    await fleet.commit({ [`${INBOX}/${id}.md`]: `---\nschema: cambium.message/1\nid: ${id}\nfrom: agent:ann\nto: [lead]\nrequest: true\nat: 2026-11-21T00:00:00Z\n---\nBuild it.\n` });
    await untilQuiet(fleet);
    expect([wakings(fleet), await rounds(fleet)]).toEqual([1, []]);
  });
});

describe('a task that an agent adds', () => {
  const adding = (files: (job: Job) => Readonly<Record<string, string | null>>, limits = ''): Promise<MemoryFleet> => fleetOf(() => ({}), (job) => ({ files: files(job) }), { limits, files: { 'tasks/top.md': task() } });

  test('has that agent\'s task for its parent, and its run stands below that spawn', async () => {
    const fleet = await adding(({ task: id }): Readonly<Record<string, string>> => (id === 'top' ? { 'tasks/child.md': task() } : {}));
    await untilQuiet(fleet);
    const spawn = /^spawns: \[\s*"?(\w+)"?\s*\]$/m.exec((await fleet.file('tasks/top.result.md')) ?? '')?.[1];
    expect(await fleet.file('tasks/child.md')).toContain(`parent: top\nspawned_by: ${spawn}\n`);
    expect(await fleet.file('tasks/child.result.md')).toContain('outcome: done');
  });

  test('keeps the parent that it names', async () => {
    const fleet = await adding(({ task: id }): Readonly<Record<string, string>> => (id === 'top' ? { 'tasks/child.md': task('parent: release-2\n') } : {}));
    await untilQuiet(fleet);
    expect(await fleet.file('tasks/child.md')).toContain('parent: release-2\nspawned_by:');
  });

  test.each([['naming its own', ''], ['naming another parent each time', 'parent: elsewhere\n']])('goes no deeper than limits.spawn_depth, %s', async (_what, front) => {
    const fleet = await adding(({ task: id, feedback }) => ({ [`tasks/${id}-x.md`]: feedback === null ? task(front) : null }), ', spawn_depth: 2');
    await untilQuiet(fleet);
    expect([await fleet.file('tasks/top-x.md'), await fleet.file('tasks/top-x-x.md')]).not.toContain(null);
    expect(await fleet.file('tasks/top-x-x-x.md')).toBeNull();
    const refused = ['one', 'two'].flatMap((name) => fleet.node(name).machine.started).flatMap(({ feedback }) => feedback ?? []);
    expect(refused).toEqual(['tasks/top-x-x-x.md: top-x-x-x would stand 3 deep, and limits.spawn_depth is 2: do the work yourself, or say in your report what is left']);
    // In its second turn it has taken the file away, so its work has landed.
    expect((await fleet.tip('top-x-x')).record.kind).toBe('done');
  });

  test('is refused where it would be its own ancestor, and where nobody could read it', async () => {
    const fleet = await adding((): Readonly<Record<string, string>> => ({ 'tasks/a.md': task('parent: b\n'), 'tasks/b.md': task('parent: a\n'), 'tasks/c.md': '---\npriority: high\n---\n# C\n' }));
    await untilQuiet(fleet);
    const refused = ['one', 'two'].flatMap((name) => fleet.node(name).machine.started).flatMap(({ feedback }) => feedback ?? [])[0];
    for (const part of ['tasks/a.md: a would be its own ancestor', 'tasks/b.md: b would be its own ancestor', 'tasks/c.md: line 2: `priority` must be']) expect(refused).toContain(part);
    expect([await fleet.file('tasks/a.md'), await fleet.file('tasks/c.md')]).toEqual([null, null]);
  });

  test('by a coordinator that may not, is told in its answer and in the next round', async () => {
    const fleet = await fleetOf((_job, times) => (times === 0 ? { files: { 'tasks/bad.md': '---\npriority: high\n---\n# C\n' }, report: 'One task.' } : { report: '@human I cannot.' }));
    const id = await ask(fleet, 'Build it.');
    await untilQuiet(fleet);
    expect((await inbox(fleet)).find(({ answers }) => answers.includes(id))?.text).toContain('One task.\n\n(Not added:\n- tasks/bad.md: line 2: `priority` must be');
    expect((await rounds(fleet)).map(({ tasks = [] }) => tasks)).toEqual([[]]);
    expect(await fleet.file('tasks/bad.md')).toBeNull();
  });
});
