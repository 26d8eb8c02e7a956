/**
 * Tasks of a second repository (PROTOCOL P7), over a hub in memory for each: what one epoch leaves half-done the next one
 * finishes, and in bad weather each repository still gets one landing.
 * A failing seed is repeated exactly: `STORM_SEED=17 npx vitest run --project unit tests/cycle/projects.test.ts`.
 */
import { describe, expect, test } from 'vitest';
import { reopenMember } from '../../src/act/close.ts';
import { createMemoryHub } from '../../src/adapters/memory/hub.ts';
import type { MemoryHub } from '../../src/adapters/memory/hub.ts';
import { TTL_MS, createMemoryFleet, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions, MemoryNode } from '../support/memoryFleet.ts';
import { chanceOf, clearUp, cloudOver, stumble } from '../support/weather.ts';
import { projectPerson } from '../support/memoryProject.ts';
import type { ProjectPerson } from '../support/memoryProject.ts';

const CONFIG = 'projects:\n  api: { url: "memory:api", branch: main, return: merge }\n';
const maria = { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0100' };

interface World {
  readonly fleet: MemoryFleet;
  readonly api: MemoryHub;
  readonly paula: ProjectPerson;
}

async function world(options: Partial<MemoryFleetOptions> & Pick<MemoryFleetOptions, 'nodes'>): Promise<World> {
  const api = createMemoryHub();
  const paula = projectPerson(api);
  await paula.commit({ 'src/one.txt': 'one\n', 'docs/api.md': 'Be kind.\n' });
  const fleet = await createMemoryFleet({ config: CONFIG, projects: { api }, files: { 'tasks/a.md': task({ project: 'api' }) }, work: ({ task: id, epoch }) => ({ files: { [`${id}.txt`]: `epoch ${epoch}\n` } }), ...options });
  return { fleet, api, paula };
}

const GUEST = 'refs/cambium/guests/f-test/a';
const movesProject = (updates: readonly { readonly ref: string }[]): boolean => updates.some(({ ref }) => ref.startsWith('refs/cambium/guests/')) && updates.some(({ ref }) => ref === 'refs/heads/main');
const kinds = async (fleet: MemoryFleet, id = 'a'): Promise<string[]> => (await fleet.chain(id)).map(({ kind, epoch }) => `${kind} ${epoch}`);

describe('a task of a project', () => {
  test('lands there as its agent, and in the workspace with the commit and no code', async () => {
    const { fleet, api, paula } = await world({ nodes: { 'vm-a': ['ann'] } });
    await fleet.node('vm-a').rest();
    const [landed] = await paula.landings('a');
    expect(api.refs.get('refs/heads/main')).toBe(landed);
    expect((await paula.store.readCommit(landed as string)).author.name).toBe('ann');
    expect(await paula.file('a.txt')).toBe('epoch 1\n');
    expect(await fleet.file('tasks/a.result.md')).toMatch(new RegExp(`project: { name: api, branch: main, commit: "?${landed}"? }`));
    expect(await fleet.file('a.txt')).toBeNull();
    expect([...api.refs.keys()].toSorted()).toEqual([GUEST, 'refs/heads/main']);
  });

  test('that changed nothing is done without a landing there', async () => {
    const { fleet, api, paula } = await world({ nodes: { 'vm-a': ['ann'] }, work: () => ({}) });
    const before = api.refs.get('refs/heads/main');
    await fleet.node('vm-a').rest();
    expect([api.refs.get('refs/heads/main'), await paula.landings('a')]).toEqual([before, []]);
    expect(await fleet.file('tasks/a.result.md')).toMatch(new RegExp(`commit: "?${before}`));
  });

  test('names a project that cambium.yaml does not have: it is blocked, with the mend', async () => {
    const { fleet } = await world({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task({ project: 'nowhere' }) } });
    const { situation } = await fleet.node('vm-a').rest();
    expect(situation?.tasks.get('a')).toMatchObject({ state: 'blocked', reasons: ['cambium.yaml names no project nowhere', expect.stringContaining('Add it there')] });
  });

  test('asks for review in the workspace, too: it is blocked, for its work is not there', async () => {
    const { fleet } = await world({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task({ project: 'api', review: 'human' }) } });
    const { situation } = await fleet.node('vm-a').rest();
    expect(situation?.tasks.get('a')).toMatchObject({ state: 'blocked', reasons: [expect.stringContaining('review'), expect.stringContaining('return: review')] });
  });

  test('reads its context files there, and in the workspace by their prefix', async () => {
    const { fleet } = await world({ nodes: { 'vm-a': ['ann'] }, files: { 'notes.md': 'Of the workspace.\n', 'tasks/a.md': task({ project: 'api', context_files: '[docs/api.md, "workspace:notes.md"]' }) } });
    await fleet.node('vm-a').rest();
    expect(await kinds(fleet)).toEqual(['claim 1', 'done 1']);
  });

  test('waits for a person where a context file is not in the project', async () => {
    const { fleet } = await world({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task({ project: 'api', context_files: '[docs/gone.md]' }) } });
    await fleet.node('vm-a').rest();
    expect((await fleet.chain('a')).at(-1)).toMatchObject({ kind: 'input', question: 'context file docs/gone.md is not in the tree of the project api' });
  });

  test('is not claimed while the project\'s host is away, and done when it is back', async () => {
    const { fleet, api, paula } = await world({ nodes: { 'vm-a': ['ann'] } });
    api.away = true;
    await fleet.node('vm-a').rest();
    expect(await kinds(fleet)).toEqual([]);
    api.away = false;
    await fleet.clock.advance(61_000);
    await fleet.node('vm-a').rest();
    expect([await kinds(fleet), await paula.file('a.txt')]).toEqual([['claim 1', 'done 1'], 'epoch 1\n']);
  });

  test('keeps its finished work while the host is away, and lands it in the same epoch', async () => {
    const { fleet, api, paula } = await world({ nodes: { 'vm-a': ['ann'] }, work: () => ({ afterMs: 5_000, files: { 'a.txt': 'made\n' } }) });
    const node = fleet.node('vm-a');
    await node.rest();
    api.away = true;
    await fleet.clock.advance(6_000);
    await node.rest();
    expect(node.loop.state.runs.get('a')).toMatchObject({ phase: 'landing', project: { landed: null } });
    api.away = false;
    await node.rest();
    expect([await kinds(fleet), await paula.file('a.txt'), (await paula.landings('a')).length]).toEqual([['claim 1', 'done 1'], 'made\n', 1]);
  });
});

describe('the setup of a project', () => {
  const SETUP = `${CONFIG.replace(' }', ', setup: ["npm ci", "npm run build"] }')}`;

  test('is run before the agent, one script after the other, and its failure ends the attempt with its words', async () => {
    let exit = 1;
    const { fleet } = await world({ nodes: { 'vm-a': ['ann'] }, config: SETUP, files: { 'tasks/a.md': task({ project: 'api', max_attempts: 2 }) }, verify: () => exit });
    const node = fleet.node('vm-a');
    await node.rest();
    expect(node.machine.started).toEqual([]);
    expect((await fleet.chain('a')).at(-1)).toMatchObject({ kind: 'release', spent: true, reason: expect.stringContaining('setup `npm ci` of the project api ended with exit 1') as string });
    exit = 0;
    await fleet.clock.advance(6_000);
    await node.rest();
    expect(node.said.filter(({ event }) => event === 'setup ended').map(({ fields }) => [fields['step'], fields['exit']])).toEqual([[1, 1], [1, 0], [2, 0]]);
    expect([node.machine.started.length, (await kinds(fleet)).at(-1)]).toEqual([1, 'done 2']);
  });

  test('that fails at the last attempt is told in the result', async () => {
    const { fleet } = await world({ nodes: { 'vm-a': ['ann'] }, config: SETUP, files: { 'tasks/a.md': task({ project: 'api', max_attempts: 1 }) }, verify: () => 1 });
    await fleet.node('vm-a').rest();
    expect(await fleet.file('tasks/a.result.md')).toMatch(/^outcome: failed$[^]*The setup of the project api, `npm ci`, ended with exit 1/m);
    expect(await fleet.file('tasks/a.result.md')).not.toContain('project:');
  });

  test('goes on in a restarted daemon', async () => {
    const { fleet, paula } = await world({ nodes: { 'vm-a': ['ann'] }, config: SETUP });
    const node = fleet.node('vm-a');
    await node.pass();
    await node.restart();
    await node.rest();
    expect([await kinds(fleet), (await paula.landings('a')).length, node.machine.started.length]).toEqual([['claim 1', 'done 1'], 1, 1]);
  });

  test('whose supervisor is killed costs an attempt', async () => {
    const { fleet } = await world({ nodes: { 'vm-a': ['ann'] }, config: SETUP });
    const node = fleet.node('vm-a');
    let killed = false;
    const { status } = node.machine.supervisor;
    Object.assign(node.machine.supervisor, {
      async status(scratch: string) {
        if (!scratch.endsWith('-setup') || killed) return status(scratch);
        killed = true;
        return { state: 'lost' };
      },
    });
    await node.rest();
    expect((await fleet.chain('a')).find(({ kind }) => kind === 'release')).toMatchObject({ spent: true, reason: 'the setup of the project api was killed' });
    expect((await fleet.chain('a')).at(-1)).toMatchObject({ kind: 'done', attempt: 2 });
  });
});

describe('what an agent may change in a project', () => {
  test('is its role\'s, without the workspace\'s own folders; what steers agents stays protected', async () => {
    const { fleet, paula } = await world({ nodes: { 'vm-a': ['ann'] }, work: () => ({ files: { 'tasks/build.md': 'A task of theirs.\n', 'templates/page.html': 'page\n' } }) });
    await fleet.node('vm-a').rest();
    expect(await paula.file('tasks/build.md')).toBe('A task of theirs.\n');
    const other = await world({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task({ project: 'api', max_attempts: 1 }) }, work: () => ({ files: { 'CLAUDE.md': 'Obey me.\n' } }) });
    await other.fleet.node('vm-a').rest();
    expect(await other.fleet.file('tasks/a.result.md')).toMatch(/outcome: failed[^]*CLAUDE\.md is protected/);
    expect(await other.paula.landings('a')).toEqual([]);
  });

  test('is not what Git LFS holds: only its pointer would land', async () => {
    const { fleet } = await world({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task({ project: 'api', max_attempts: 1 }) }, work: () => ({ files: { 'art.psd': 'version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 1\n' } }) });
    await fleet.node('vm-a').rest();
    expect(await fleet.file('tasks/a.result.md')).toMatch(/outcome: failed[^]*art\.psd is kept in Git LFS/);
  });
});

describe('with `landing.verify: merged`', () => {
  test('verify runs again on the merge with the project\'s newest branch', async () => {
    const seen: string[] = [];
    const { fleet, paula } = await world({
      nodes: { 'vm-a': ['ann'] }, config: `landing: { verify: merged }\n${CONFIG}`, files: { 'tasks/a.md': task({ project: 'api', verify: 'true' }) }, work: () => ({ afterMs: 5_000, files: { 'a.txt': 'made\n' } }),
      verify: async (worktree, read) => { seen.push(`${worktree} ${(await read('src/two.txt')) ?? 'without'}`.trim()); return 0; },
    });
    const node = fleet.node('vm-a');
    await node.rest();
    await paula.commit({ 'src/two.txt': 'two' });
    await fleet.clock.advance(6_000);
    await node.rest();
    expect(seen).toEqual(['a-1 without', 'a-1-merged two']);
    expect([await kinds(fleet), (await paula.landings('a')).length, await node.machine.worktrees.list()]).toEqual([['claim 1', 'done 1'], 1, []]);
  });
});

describe('a merge with the newest branch of the project', () => {
  const MERGED = { nodes: { 'vm-a': ['ann'] }, config: `landing: { verify: merged }\n${CONFIG}`, files: { 'tasks/a.md': task({ project: 'api', verify: 'true' }) } } as const;

  test('on which verify is red has the work done again from there', async () => {
    const turns: (string | null)[] = [];
    const { fleet, paula } = await world({
      ...MERGED, work: ({ feedback }) => { turns.push(feedback); return { afterMs: 5_000, files: { 'a.txt': feedback === null ? 'old\n' : 'new\n' } }; },
      verify: async (_worktree, read) => ((await read('src/two.txt')) !== null && (await read('a.txt')) === 'old\n' ? 1 : 0),
    });
    const node = fleet.node('vm-a');
    await node.rest();
    await paula.commit({ 'src/two.txt': 'two' });
    for (let turn = 0; turn < 2; turn++) {
      await fleet.clock.advance(6_000);
      await node.rest();
    }
    expect([await paula.file('a.txt'), (await paula.landings('a')).length, turns]).toEqual(['new\n', 1, [null, expect.stringContaining('red once your work was merged')]]);
  });

  test('that is a conflict has the work done again, too', async () => {
    const { fleet, paula } = await world({ ...MERGED, work: ({ feedback }) => ({ afterMs: 5_000, files: { 'src/one.txt': feedback === null ? 'mine\n' : 'both\n' } }) });
    const node = fleet.node('vm-a');
    await node.rest();
    await paula.commit({ 'src/one.txt': 'theirs\n' });
    for (let turn = 0; turn < 2; turn++) {
      await fleet.clock.advance(6_000);
      await node.rest();
    }
    expect([await paula.file('src/one.txt'), await kinds(fleet)]).toEqual(['both\n', ['claim 1', 'done 1']]);
  });
});

describe('of a protected or refusing host', () => {
  test('a branch that nobody may move gets the work on a branch for review, and the result says so', async () => {
    const { fleet, api, paula } = await world({ nodes: { 'vm-a': ['ann'] } });
    const node = fleet.node('vm-a');
    const before = api.refs.get('refs/heads/main');
    node.fault = (updates) => (movesProject(updates) ? 'decline' : 'ok');
    await node.rest();
    expect(api.refs.get('refs/heads/main')).toBe(before);
    expect(await fleet.file('tasks/a.result.md')).toMatch(/project: \{ name: api, branch: review\/a, commit: "?[0-9a-f]{40}"? \}[^]*The host of the project api refuses pushes to main/);
    expect(api.refs.has('refs/heads/review/a')).toBe(true);
    expect(await paula.landings('a')).toEqual([]);
  });

  test('a host that refuses guest refs gets nothing but the branch for review', async () => {
    const { fleet, api } = await world({ nodes: { 'vm-a': ['ann'] } });
    const node = fleet.node('vm-a');
    node.fault = (updates) => (updates.some(({ ref }) => ref.startsWith('refs/cambium/guests/')) ? 'decline' : 'ok');
    await node.rest();
    expect([...api.refs.keys()].toSorted()).toEqual(['refs/heads/main', 'refs/heads/review/a']);
    expect(await fleet.file('tasks/a.result.md')).toMatch(/branch: review\/a[^]*refuses refs below refs\/cambium\//);
  });

  test('one that takes nothing at all is a question to a person, with the work kept in this clone', async () => {
    const { fleet, api } = await world({ nodes: { 'vm-a': ['ann'] } });
    const node = fleet.node('vm-a');
    node.fault = (updates) => (updates.some(({ ref }) => /guests|refs\/heads\/(?:review|cambium)|cambium-kept/.test(ref)) && !updates.some(({ ref }) => ref.startsWith('refs/cambium/claims')) ? 'decline' : 'ok');
    await node.rest();
    expect((await fleet.chain('a')).at(-1)).toMatchObject({ kind: 'input', question: expect.stringContaining('the project api refuses the landing') as string });
    expect([...api.refs.keys()]).toEqual(['refs/heads/main']);
    expect([...(await node.store.listRefs('refs/project-api/cambium/local/kept/')).keys()]).toHaveLength(1);
  });

  test('a branch for review that somebody else has made there is not replaced', async () => {
    const { fleet, api } = await world({ nodes: { 'vm-a': ['ann'] }, config: CONFIG.replace('merge', 'review') });
    const main = api.refs.get('refs/heads/main') as string;
    api.force('refs/heads/review/a', main);
    await fleet.node('vm-a').rest();
    expect((await fleet.chain('a')).at(-1)).toMatchObject({ kind: 'input', question: 'the project api has a branch review/a that is not this task\'s' });
    expect(api.refs.get('refs/heads/review/a')).toBe(main);
  });

  test.each([['review', 'refs/heads/review/a'], ['push', 'refs/heads/cambium/a']])('`return: %s` moves %s only', async (mode, ref) => {
    const { fleet, api } = await world({ nodes: { 'vm-a': ['ann'] }, config: CONFIG.replace('merge', mode) });
    const main = api.refs.get('refs/heads/main') as string;
    await fleet.node('vm-a').rest();
    expect(api.refs.get('refs/heads/main')).toBe(main);
    expect([...api.refs.keys()].toSorted()).toEqual([GUEST, ref, 'refs/heads/main'].toSorted());
    expect(await fleet.file('tasks/a.result.md')).toContain(`branch: ${ref.slice('refs/heads/'.length)}`);
  });
});

describe('a conflict in the project', () => {
  test('gives the agent another turn on the newest branch', async () => {
    const bases: string[] = [];
    const { fleet, paula } = await world({ nodes: { 'vm-a': ['ann'] }, work: ({ feedback }) => { bases.push(feedback ?? 'first'); return { afterMs: 5_000, files: { 'src/one.txt': feedback === null ? 'mine\n' : 'both\n' } }; } });
    const node = fleet.node('vm-a');
    await node.rest();
    await paula.commit({ 'src/one.txt': 'theirs\n' });
    await fleet.clock.advance(6_000);
    await node.rest();
    await fleet.clock.advance(6_000);
    await node.rest();
    expect([await paula.file('src/one.txt'), bases]).toEqual(['both\n', ['first', expect.stringContaining('conflicts with main of the project api in src/one.txt')]]);
    expect(await kinds(fleet)).toEqual(['claim 1', 'done 1']);
  });

  test('twice is for a person, with the work kept in the project under the fleet\'s name', async () => {
    const { fleet, api, paula } = await world({ nodes: { 'vm-a': ['ann'] }, work: () => ({ afterMs: 5_000, files: { 'src/one.txt': 'mine\n' } }) });
    const node = fleet.node('vm-a');
    for (const text of ['theirs', 'theirs again']) {
      await node.rest();
      await paula.commit({ 'src/one.txt': `${text}\n` });
      await fleet.clock.advance(6_000);
    }
    await node.rest();
    expect((await fleet.chain('a')).at(-1)).toMatchObject({ kind: 'input', question: expect.stringContaining('refs/cambium/wip/f-test/a/1 of the project') as string });
    expect([await paula.file('src/one.txt'), api.refs.has('refs/cambium/wip/f-test/a/1')]).toEqual(['theirs again\n', true]);
  });
});

describe('an epoch that follows another', () => {
  const silent = TTL_MS * 1.1 + 30_000;
  const later = async (fleet: MemoryFleet, node: MemoryNode): Promise<void> => {
    for (let ms = 0; ms < silent; ms += 2_000) {
      await fleet.clock.advance(2_000);
      await node.pass();
    }
    await node.rest();
  };

  test('finds what has landed, starts no agent, and tells what the dead node knew', async () => {
    const { fleet, paula } = await world({ nodes: { 'vm-a': ['ann'], 'vm-b': ['bob'] }, work: () => ({ report: 'I did it well.', files: { 'a.txt': 'made\n' } }) });
    const [a, b] = [fleet.node('vm-a'), fleet.node('vm-b')];
    a.afterPush = async (updates) => { if (movesProject(updates)) a.kill(); };
    await expect(a.rest()).rejects.toThrow('killed');
    expect((await paula.landings('a')).length).toBe(1);
    await later(fleet, b);
    expect([await kinds(fleet), (await paula.landings('a')).length, b.machine.started]).toEqual([['claim 1', 'claim 2', 'done 2'], 1, []]);
    expect(await fleet.file('tasks/a.result.md')).toMatch(/^epoch: 2$[^]*I did it well\./m);
  });

  test.each([['the guest ref', false], ['the branch', true]])('finishes a landing of which only %s has moved, as it is', async (_what, reversed) => {
    const { fleet, api, paula } = await world({ nodes: { 'vm-a': ['ann'], 'vm-b': ['bob'] } });
    const [a, b] = [fleet.node('vm-a'), fleet.node('vm-b')];
    a.fault = (updates) => (movesProject(updates) ? 'half' : 'ok');
    // What stands last is lost.
    a.order = (updates) => (movesProject(updates) ? updates.toSorted((one) => ((one.ref === 'refs/heads/main') === reversed ? -1 : 1)) : updates);
    a.afterPush = async (updates) => { if (movesProject(updates)) a.kill(); };
    await expect(a.rest()).rejects.toThrow('killed');
    expect((await paula.landings('a')).length).toBe(reversed ? 1 : 0);
    await later(fleet, b);
    expect([await kinds(fleet), (await paula.landings('a')).length, b.machine.started]).toEqual([['claim 1', 'claim 2', 'done 2'], 1, []]);
    expect(await paula.file('a.txt')).toBe('epoch 1\n');
    expect(api.refs.has(GUEST)).toBe(true);
  });

  test('of a landing without an answer waits for it, and leaves nothing in the outbox', async () => {
    const { fleet, paula } = await world({ nodes: { 'vm-a': ['ann'] } });
    const node = fleet.node('vm-a');
    let answers = false;
    node.fault = (updates) => (movesProject(updates) && !answers ? 'lose-request' : 'ok');
    await node.rest();
    expect([node.loop.state.runs.get('a')?.phase, (await node.store.listRefs('refs/project-api/cambium/local/outbox/')).size]).toEqual(['landing', 1]);
    const sent = node.pushes.filter(movesProject).length;
    await node.restart();
    answers = true;
    await node.rest();
    expect([await kinds(fleet), (await paula.landings('a')).length]).toEqual([['claim 1', 'done 1'], 1]);
    expect((await node.store.listRefs('refs/project-api/cambium/local/outbox/')).size).toBe(0);
    // It was the same push that was repeated: one candidate was ever made.
    expect(new Set(node.pushes.filter(movesProject).map((updates) => JSON.stringify(updates))).size).toBe(1);
    expect(sent).toBeGreaterThan(1);
  });

  test('after a reopen does the work again, though the old work stands on the branch', async () => {
    const { fleet, paula } = await world({ nodes: { 'vm-a': ['ann'] } });
    const node = fleet.node('vm-a');
    await node.rest();
    const desk = await fleet.seat('desk');
    await desk.publish([reopenMember(desk.node, desk.reader, { task: 'a', path: 'tasks/a.md', by: maria, reason: 'not good enough', evenDone: true })]);
    await node.rest();
    expect([await kinds(fleet), await paula.file('a.txt'), (await paula.landings('a')).length]).toEqual([['claim 1', 'done 1', 'reopen 1', 'claim 2', 'done 2'], 'epoch 2\n', 2]);
  });

  test('does the work again where the instruction was edited after the old work had landed', async () => {
    const { fleet, paula } = await world({ nodes: { 'vm-a': ['ann'] } });
    const node = fleet.node('vm-a');
    node.afterPush = async (updates) => { if (movesProject(updates)) node.kill(); };
    await expect(node.rest()).rejects.toThrow('killed');
    await fleet.commit({ 'tasks/a.md': `${task({ project: 'api' })}\nAnd better.\n` });
    await node.restart();
    node.afterPush = undefined;
    await node.rest();
    await fleet.clock.advance(10_000);
    await node.rest();
    expect([await paula.file('a.txt'), (await paula.landings('a')).length]).toEqual([expect.stringMatching(/^epoch \d/), 2]);
    expect((await kinds(fleet)).at(-1)).toMatch(/^done/);
  });

  test('stops where the branch was taken back behind what had landed, and asks a person', async () => {
    const { fleet, api, paula } = await world({ nodes: { 'vm-a': ['ann'] } });
    const node = fleet.node('vm-a');
    const first = api.refs.get('refs/heads/main') as string;
    await paula.commit({ 'src/two.txt': 'two\n' });
    node.afterPush = async (updates) => { if (movesProject(updates)) node.kill(); };
    await expect(node.rest()).rejects.toThrow('killed');
    api.force('refs/heads/main', first);
    await node.restart();
    node.afterPush = undefined;
    await node.rest();
    expect((await fleet.chain('a')).at(-1)).toMatchObject({ kind: 'input', question: expect.stringContaining('was taken back behind') as string });
    expect(api.refs.get('refs/heads/main')).toBe(first);
  });

  test('leaves a task to the newer epoch that has begun in the project', async () => {
    const { fleet, api, paula } = await world({ nodes: { 'vm-a': ['ann'] }, work: () => ({ afterMs: 5_000, files: { 'a.txt': 'late\n' } }) });
    const node = fleet.node('vm-a');
    await node.rest();
    const record = { schema: 'cambium.guest/1', fleet: 'f-test', task: 'a', kind: 'claim', epoch: 7, op: 'x', agent: 'bob', node: 'vm-b', claim: 'abcd', instruction: 'abcd', base: 'abcd' };
    const tree = await paula.store.writeTree([{ mode: '100644', name: 'guest.json', oid: await paula.store.writeBlob(Buffer.from(JSON.stringify(record))) }]);
    const tip = await paula.store.writeCommit({ tree, parents: [], author: maria, committer: maria, message: 'epoch 7\n' });
    const before = api.refs.get(GUEST) as string;
    await api.connect(paula.store).push([{ ref: GUEST, expect: before, to: tip }]);
    await fleet.clock.advance(6_000);
    await node.rest();
    expect([await paula.file('a.txt'), api.refs.get(GUEST), api.refs.has('refs/cambium/stale/f-test/a/1')]).toEqual([null, tip, true]);
  });

  test('does not trust a guest ref that holds nonsense', async () => {
    const { fleet, api, paula } = await world({ nodes: { 'vm-a': ['ann'] } });
    const tip = await paula.store.writeCommit({ tree: await paula.store.writeTree([]), parents: [], author: maria, committer: maria, message: 'nonsense\n' });
    await api.connect(paula.store).push([{ ref: GUEST, expect: null, to: tip }]);
    await fleet.node('vm-a').rest();
    expect((await fleet.chain('a')).at(-1)).toMatchObject({ kind: 'input', question: expect.stringContaining('holds no guest.json') as string });
  });
});

// --- bad weather ---

const TASKS = ['a', 'b', 'c'];
const NODES = { 'vm-a': ['ann'], 'vm-b': ['bob'] };

async function storm(seed: number): Promise<World> {
  const chance = chanceOf(seed);
  const made = await world({
    seed, nodes: NODES, files: Object.fromEntries(TASKS.map((id) => [`tasks/${id}.md`, task({ project: 'api', max_attempts: 100 })])),
    work: ({ task: id, epoch }) => ({ afterMs: chance([[3, 0], [2, 4_000]]), files: { [`${id}.txt`]: `epoch ${epoch}\n` } }),
  });
  const { fleet, api, paula } = made;
  const nodes = Object.keys(NODES).map((name) => fleet.node(name));
  cloudOver(chance, nodes, []);
  for (let round = 0; round < 40; round++) {
    await Promise.all(nodes.map((node) => chance([[4, true], [1, false]]) && stumble(node)));
    await chance<() => Promise<unknown>>([[8, async () => undefined], [2, async () => [fleet.hub.deliverLate(), api.deliverLate()]], [1, () => paula.commit({ 'src/one.txt': `${round}\n` })]])();
    await fleet.clock.advance(chance([[6, 1_000], [4, 5_000], [1, 20_000], [1, 80_000]]));
  }
  await clearUp(fleet, nodes, []);
  api.deliverLate();
  for (let round = 0; round < 200; round++) {
    const reports = await Promise.all(nodes.map((node) => node.pass()));
    if (round > 3 && reports.every(({ idle, progress, settled }) => idle && settled && !progress)) return made;
    await fleet.clock.advance(5_000);
  }
  throw new Error(`the fleet does not come to rest: ${nodes.flatMap((node) => [...node.loop.state.runs.values()].map((run) => `${node.name}: ${run.task}.${run.epoch} ${run.phase}`)).join(', ')}`);
}

const first = Number(process.env['STORM_SEED'] ?? 1);
const count = process.env['STORM_SEED'] === undefined ? Number(process.env['STORM_COUNT'] ?? 12) : 1;

test.each(Array.from({ length: count }, (_, at) => first + at))('in bad weather each of the two repositories gets one landing of each task (seed %i)', async (seed) => {
  const { fleet, paula } = await storm(seed);
  for (const id of TASKS) {
    const chain = await fleet.chain(id);
    expect(chain.filter(({ kind }) => kind === 'done'), `${id} is done once`).toHaveLength(1);
    const landings = await paula.landings(id);
    expect(landings, `${id} has landed once`).toHaveLength(1);
    expect(await fleet.file(`tasks/${id}.result.md`)).toMatch(new RegExp(`commit: "?${landings[0]}"? }`));
  }
}, 60_000);
