/** The archive by the command line and real git (PROTOCOL P9): moved, folded, collected, and taken out again by a clone that was not there. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chainEntry } from '../../src/model/archive.ts';
import { archiveTasks } from '../../src/workspace/archive.ts';
import type { ArchiveReport } from '../../src/workspace/archive.ts';
import { openClone } from '../../src/workspace/compose.ts';
import { inSession } from '../../src/workspace/session.ts';
import { makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';
import { cli, cliJson } from '../support/cli.ts';
import { makeBareHub, refsOf, tempDir } from '../support/repo.ts';

const IDENTITY = { GIT_AUTHOR_NAME: 'Maria', GIT_AUTHOR_EMAIL: 'maria@example.org', GIT_COMMITTER_NAME: 'Maria', GIT_COMMITTER_EMAIL: 'maria@example.org' };

/** The same command, run a quarter of an hour later: by then no request from before the end can still be under way. */
async function archiveLater({ path }: { readonly path: string }): Promise<ArchiveReport> {
  const clone = await openClone({ cwd: path });
  const clock = { ...clone.clock, now: () => new Date(Date.now() + 15 * 60_000) };
  try {
    return await inSession({ ...clone, clock }, { needsHub: true }, (session) => archiveTasks(session, { ids: [], allEnded: true }));
  } finally {
    await clone.close();
  }
}

describe('tasks that have ended', () => {
  let fleet: TestFleet;
  let seat: Seat;

  beforeAll(async () => {
    fleet = await makeFleet();
    fleet.push({
      'tasks/a.md': runbook('A', 'echo a > a.txt'), 'tasks/b.md': runbook('B', 'echo b > b.txt'),
      'tasks/c.md': runbook('C', 'echo c > c.txt', { depends_on: ['a'], assigned_to: 'nobody-here' }),
    });
    seat = await fleet.seat('one');
    await seat.up('--until-idle').finished();
  });

  afterAll(() => fleet.close());

  const files = (): readonly string[] => fleet.gitHub('ls-tree', '-r', '--name-only', 'main', 'tasks').split('\n');
  const archiveRef = (): string => [...fleet.refs().keys()].find((ref) => ref.startsWith('refs/cambium/archive/')) ?? '';

  it('are not archived while others depend on them, and the reason names those', async () => {
    const refused = await seat.json(['task', 'archive', 'a', 'b']);
    expect(refused).toMatchObject({ exit: 1, error: { code: 'refused', message: expect.stringContaining('c depends on it') } });
    expect(await seat.json(['task', 'archive', 'c'])).toMatchObject({ exit: 1, error: { message: expect.stringContaining('it has not ended') } });
    expect(await seat.json(['task', 'archive', 'nothing'])).toMatchObject({ exit: 1, error: { code: 'unknown-task' } });
    expect(files()).toContain('tasks/b.result.md');
  });

  it('move by a commit of their own, and their chains stay on the hub for a while', async () => {
    const { data } = await seat.json<ArchiveReport>(['task', 'archive', '--all-ended']);
    expect(data).toEqual({ archived: ['b'], folded: 1, collected: 0, waiting: 1 });
    expect(files().filter((path) => path.includes('/b.'))).toEqual([expect.stringMatching(/^tasks\/archive\/\d{4}-\d{2}\/\d{2}\/b\.md$/), expect.stringMatching(/\/b\.result\.md$/)]);
    expect(fleet.gitHub('show', '--no-patch', '--format=%s %(trailers:key=Kind,valueonly)', 'main').trim()).toBe('archive: 1 task archive');
    expect(fleet.gitHub('show', '-M', '--name-status', '--format=', 'main').split('\n').map((line) => line.split('\t')[0])).toEqual(['R100', 'R100']);
    expect(fleet.refs().has('refs/cambium/claims/b')).toBe(true);
    expect(seat.read('tasks/b.result.md')).toBeNull();
    expect(await seat.json(['task', 'archive', 'b'])).toMatchObject({ exit: 0, data: { archived: [] } });
  });

  it('leave the hub when no earlier request can be under way, and their chains are found in the archive', async () => {
    const tip = fleet.refs().get('refs/cambium/claims/b');
    expect(await archiveLater(seat)).toMatchObject({ collected: 1, waiting: 0 });
    expect(fleet.refs().has('refs/cambium/claims/b')).toBe(false);
    expect(fleet.refs().has('refs/cambium/claims/a')).toBe(true);
    expect(fleet.gitHub('rev-parse', `${archiveRef()}:${chainEntry('b')}`)).toBe(tip);
    expect(fleet.gitHub('fsck', '--strict', '--no-dangling')).toBe('');
    expect(await seat.json(['status'])).toMatchObject({ exit: 0 });
    const { data } = await (await fleet.seat('auditor')).json<{ state: string; instruction: string; result_text: string; chain: readonly { kind: string }[] }>(['task', 'show', 'b']);
    expect(data).toMatchObject({ state: 'done', chain: [{ kind: 'done' }, { kind: 'claim' }], instruction: expect.stringContaining('echo b'), result_text: expect.stringContaining('outcome: done') });
  });

  it('keep their ids: none is added or dropped anew', async () => {
    expect(await seat.json(['task', 'add', 'B again', '--id', 'b'])).toMatchObject({ exit: 1, error: { code: 'id-used' } });
    fleet.push({ 'tasks/b.md': runbook('Another B', 'true') });
    const { data } = await seat.json<{ quarantine: readonly { path: string; reason: string }[] }>(['task', 'list']);
    expect(data.quarantine).toMatchObject([{ path: 'tasks/b.md', reason: expect.stringContaining('used before') }]);
    fleet.push({ 'tasks/b.md': null });
  });

  it('are reopened from any clone, and go on with the next epoch', async () => {
    const late = await fleet.seat('late');
    expect(await late.json(['task', 'reopen', 'b'])).toMatchObject({ exit: 0, data: { task: 'b', epoch: 1 } });
    expect(files().filter((path) => path.includes('/b.'))).toEqual([expect.stringMatching(/\/b\.reopened\.json$/), 'tasks/b.md']);
    await late.up('--until-idle').finished();
    expect(fleet.chain('b').map(({ kind, epoch }) => `${kind} ${epoch}`)).toEqual(['claim 1', 'done 1', 'reopen 1', 'claim 2', 'done 2']);
    expect(await archiveLater(seat)).toMatchObject({ archived: ['b'], collected: 1 });
    expect(files().filter((path) => path.includes('/b.'))).toHaveLength(2);
  });

  it('that others depend on are met by their archived result', async () => {
    fleet.push({ 'tasks/d.md': runbook('D', 'echo d > d.txt', { depends_on: ['b'] }) });
    await seat.up('--until-idle').finished();
    expect(fleet.onMain('d.txt')).toBe('d');
  });
});

describe('a workspace that has archived before it joins a hub', () => {
  const dir = tempDir('archive-join');
  const home = join(dir.path, 'home');
  const hub = join(dir.path, 'hub.git');

  afterAll(() => dir.remove());

  it('takes its archive along: the chains are on the new hub, and a second look finds nothing gone', async () => {
    makeBareHub(hub);
    expect((await cli(['init', home], { cwd: dir.path, env: IDENTITY })).exit).toBe(0);
    for (const args of [['add', 'A', '--id', 'a'], ['cancel', 'a']]) expect((await cli(['task', ...args], { cwd: home, env: IDENTITY })).exit).toBe(0);
    expect(await archiveLater({ path: home })).toMatchObject({ archived: ['a'], collected: 1 });
    expect((await cli(['join', hub], { cwd: home, env: IDENTITY })).exit).toBe(0);
    const refs = [...refsOf(hub).keys()];
    expect(refs.filter((ref) => ref.startsWith('refs/cambium/claims/'))).toEqual([]);
    expect(refs.filter((ref) => ref.startsWith('refs/cambium/archive/'))).toHaveLength(1);
    for (const args of [['status'], ['status'], ['task', 'reopen', 'a']]) expect((await cli(args, { cwd: home, env: IDENTITY })).exit).toBe(0);
    expect((await cliJson<{ chain: readonly { kind: string }[] }>(['task', 'show', 'a'], { cwd: home })).data.chain.map(({ kind }) => kind)).toEqual(['reopen', 'cancel']);
  });
});
