/**
 * Release v0.1.0 beside this version, as real programs in one fleet on one hub. Where this clone has no such tag the old
 * program cannot be built and these tests skip; what it writes is kept in tests/fixtures/v0.1.0 too, and read by
 * tests/observe/oldRecords.test.ts everywhere.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { packageVersion } from '../../src/adapters/system/version.ts';
import { CLAIM_KINDS } from '../../src/model/claim.ts';
import type { ClaimRecord } from '../../src/model/claim.ts';
import { renderClaimRecord } from '../../src/observe/claimRecord.ts';
import { config, makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';
import { oldDist, releaseCommit } from '../support/oldBuild.ts';
import { writeOldRecords } from '../support/oldRecords.ts';
import { writeCommit } from '../support/repo.ts';

const OLD = '0.1.0';
const commit = releaseCommit(`v${OLD}`);
const name = commit === null ? `beside v${OLD} (skipped: this clone has no tag v${OLD} to build it from)` : `beside v${OLD}`;
const FIXTURES = fileURLToPath(new URL('../fixtures/v0.1.0', import.meta.url));
const QUICK = config('{ ttl: 3s, heartbeat: 1s, fetch: 200ms, rescan: 5s }');

interface TaskRow {
  readonly id: string;
  readonly state: string;
  readonly node: string | null;
  readonly reasons: readonly string[];
}

describe.skipIf(commit === null)(name, () => {
  let dist = '';
  let fleet: TestFleet;
  let [before, now]: Seat[] = [];
  const older = (): Seat => before as Seat;
  const newer = (): Seat => now as Seat;

  beforeAll(() => {
    dist = oldDist(commit as string);
  }, 120_000);

  beforeEach(async () => {
    fleet = await makeFleet({ config: QUICK });
  }, 60_000);

  afterEach(() => fleet.close());

  async function bothJoin(): Promise<void> {
    [before, now] = await Promise.all([fleet.seat('vm-old', dist), fleet.seat('vm-new')]);
  }

  const tasksAt = async (seat: Seat): Promise<Map<string, TaskRow>> => {
    const { data } = await seat.json<{ tasks: TaskRow[] }>(['task', 'list']);
    return new Map(data.tasks.map((row) => [row.id, row]));
  };

  test('20 tasks are each done once, by both, and both tell the same of them', async () => {
    await bothJoin();
    const ids = Array.from({ length: 20 }, (_, at) => `job-${String(at).padStart(2, '0')}`);
    fleet.push(Object.fromEntries(ids.map((id) => [`tasks/${id}.md`, runbook(id, `mkdir -p out; echo "$CAMBIUM_NODE" > out/${id}.txt`, { verify: `test -s out/${id}.txt` })])));
    const ends = await Promise.all([older().up('--until-idle'), newer().up('--until-idle')].map((daemon) => daemon.finished()));
    expect(ends.map(({ exit }) => exit)).toEqual([0, 0]);

    const doneBy = ids.map((id) => fleet.chain(id).filter(({ kind }) => kind === 'done').map(({ node }) => node));
    expect(doneBy.filter((nodes) => nodes.length !== 1)).toEqual([]);
    expect(new Set(doneBy.flat())).toEqual(new Set(['vm-old', 'vm-new']));
    expect(ids.map((id) => fleet.onMain(`out/${id}.txt`))).toEqual(doneBy.flat());

    const [seenByOld, seenByNew] = await Promise.all([tasksAt(older()), tasksAt(newer())]);
    expect([...seenByOld.values()].map(({ id, state, node }) => ({ id, state, node }))).toEqual([...seenByNew.values()].map(({ id, state, node }) => ({ id, state, node })));
    expect([...seenByNew.values()].filter(({ state }) => state !== 'done')).toEqual([]);
    for (const seat of [older(), newer()]) {
      const { data } = await seat.json<{ nodes: { node: string; version: string }[]; quarantine: unknown[] }>(['status']);
      expect(data.quarantine).toEqual([]);
      expect(new Map(data.nodes.map(({ node, version }) => [node, version]))).toEqual(new Map([['home', packageVersion()], ['vm-old', OLD], ['vm-new', packageVersion()]]));
    }
    const { stdout } = await newer().cambium(['status']);
    expect(stdout).toMatch(new RegExp(`vm-old .*${OLD}, this is ${packageVersion()}`));
    expect([older().git('status', '--porcelain'), newer().git('status', '--porcelain')]).toEqual(['', '']);
  });

  test.each([['the old', 'the new'], ['the new', 'the old']])('when %s one dies in the middle of a task, %s one takes it over and lands it', async (dies) => {
    await bothJoin();
    const [dying, taking] = dies === 'the old' ? [older(), newer()] : [newer(), older()];
    const mark = join(fleet.root, 'started');
    fleet.push({ 'tasks/job.md': runbook('a job', `if [ "$CAMBIUM_EPOCH" = 1 ]; then touch '${mark}'; sleep 600; fi; echo "$CAMBIUM_NODE" > job.txt`) });
    dying.up();
    await fleet.until('the first epoch starts', () => existsSync(mark));
    const other = taking.up('--until-idle');
    await dying.kill();
    expect(await other.finished()).toMatchObject({ exit: 0 });
    expect(fleet.onMain('job.txt')).toBe(taking.name);
    expect(fleet.chain('job').map(({ kind, epoch, attempt, node }) => [kind, epoch, attempt, node])).toEqual([['claim', 1, 1, dying.name], ['claim', 2, 1, taking.name], ['done', 2, 1, taking.name]]);

    // It comes back, learns that it was fenced, and keeps to it.
    expect(await dying.up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expect(fleet.chain('job')).toHaveLength(3);
    expect(dying.git('status', '--porcelain')).toBe('');
  });

  test('a task that asks for review or a project is shown as blocked by the old one and not run by it, while it does the others', async () => {
    before = await fleet.seat('vm-old', dist);
    fleet.push({ 'tasks/plain.md': runbook('plain', 'echo x > plain.txt'), 'tasks/looked-at.md': runbook('looked at', 'echo x > looked.txt', { review: 'human' }), 'tasks/abroad.md': runbook('abroad', 'echo x > abroad.txt', { project: 'api' }) });
    expect(await older().up('--until-idle').finished()).toMatchObject({ exit: 0 });
    const seen = await tasksAt(older());
    expect([...seen.values()].map(({ id, state, reasons }) => [id, state, reasons[0] ?? '']).toSorted()).toEqual([
      ['abroad', 'blocked', 'this version does not know `project`'], ['looked-at', 'blocked', 'this version does not know `review`'], ['plain', 'done', ''],
    ]);
    expect([fleet.chain('looked-at'), fleet.chain('abroad')]).toEqual([[], []]);
  });

  test('work under review does not break an old one that joins meanwhile, nor is it landed by it; the new one lands what was approved', async () => {
    now = await fleet.seat('vm-new');
    fleet.push({ 'tasks/looked-at.md': runbook('looked at', 'echo x > looked.txt', { review: 'human' }) });
    expect(await newer().up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expect(fleet.chain('looked-at').map(({ kind }) => kind)).toEqual(['claim', 'review']);

    before = await fleet.seat('vm-old', dist);
    fleet.push({ 'tasks/plain.md': runbook('plain', 'echo x > plain.txt') });
    expect(await older().up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expect(fleet.chain('plain').at(-1)).toMatchObject({ kind: 'done', node: 'vm-old' });
    expect((await tasksAt(older())).get('looked-at')).toMatchObject({ state: 'review' });

    expect(await newer().cambium(['task', 'approve', 'looked-at', '--why', 'good'])).toMatchObject({ exit: 0 });
    expect(await older().up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expect(fleet.chain('looked-at').at(-1)).toMatchObject({ kind: 'approve' });
    const { data } = await older().json<{ quarantine: unknown[] }>(['status']);
    expect(data.quarantine).toEqual([]);

    expect(await newer().up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expect(fleet.chain('looked-at').at(-1)).toMatchObject({ kind: 'done', node: 'vm-new' });
    expect(fleet.onMain('looked.txt')).toBe('x');
    expect((await tasksAt(older())).get('looked-at')).toMatchObject({ state: 'done' });
  });

  test('an agent that the old daemon of a clone left at work is adopted by the new one after the upgrade', async () => {
    // A lease that outlives the change of daemons, however slow the machine.
    fleet.push({ 'cambium.yaml': config('{ ttl: 60s, heartbeat: 1s, fetch: 200ms, rescan: 5s }') });
    before = await fleet.seat('vm-old', dist);
    const [mark, go] = ['started', 'go'].map((file) => join(fleet.root, file)) as [string, string];
    fleet.push({ 'tasks/job.md': runbook('a job', `touch '${mark}'; while [ ! -e '${go}' ]; do sleep 0.05; done; echo "$CAMBIUM_EPOCH" > job.txt`), 'tasks/later.md': runbook('later', 'echo x > later.txt', { depends_on: ['job'] }) });
    const daemon = older().up('--on-exit', 'keep');
    await fleet.until('the job starts', () => existsSync(mark));
    daemon.child.kill('SIGTERM');
    await daemon.finished();

    const upgraded = fleet.reopen(older());
    const next = upgraded.up('--until-idle');
    await fleet.until('the new daemon beats', () => (JSON.parse(fleet.gitHub('cat-file', 'blob', 'refs/cambium/nodes/vm-old:node.json')) as { version: string }).version === packageVersion());
    writeFileSync(go, '');
    expect(await next.finished()).toMatchObject({ exit: 0 });
    expect(fleet.onMain('job.txt')).toBe('1');
    expect(fleet.chain('job').map(({ kind }) => kind)).toEqual(['claim', 'done']);
    expect(fleet.onMain('later.txt')).toBe('x');
  });

  test('a hub of a newer format is refused by both with what to do, and left alone', async () => {
    await bothJoin();
    const record = { ...(JSON.parse(fleet.gitHub('cat-file', 'blob', 'refs/cambium/fleet:fleet.json')) as object), format: 2 };
    const marker = writeCommit(fleet.home.path, 'newer', { files: { 'fleet.json': JSON.stringify(record) } });
    fleet.home.git('push', '--quiet', '--force', fleet.hub, `${marker}:refs/cambium/fleet`);
    const refs = fleet.refs();
    for (const seat of [older(), newer()]) {
      expect(await seat.json(['status'])).toMatchObject({ exit: 2, error: { code: 'schema-too-new', hint: expect.stringContaining('Upgrade cambium on this machine') } });
      expect((await seat.up('--until-idle').finished()).exit).toBe(2);
    }
    expect(fleet.refs()).toEqual(refs);
  });

  test('what it writes is what tests/fixtures/v0.1.0 holds', async () => {
    const records = await writeOldRecords(dist);
    if (process.env['CAMBIUM_WRITE_FIXTURES'] !== undefined) {
      mkdirSync(FIXTURES, { recursive: true });
      for (const [file, bytes] of records) writeFileSync(join(FIXTURES, file), bytes);
    }
    expect([...records.keys()].toSorted()).toEqual(readdirSync(FIXTURES).filter((file) => file !== 'README.md').toSorted());
    const keysOf = (bytes: Uint8Array): readonly string[] => Buffer.from(bytes).toString('utf8').match(/^ *"?\w+"?:/gm)?.map((key) => key.replace(/[" :]/g, '')) ?? [];
    for (const [file, bytes] of records) expect({ file, keys: keysOf(bytes) }).toEqual({ file, keys: keysOf(readFileSync(join(FIXTURES, file))) });
  });

  test('it reads each kind of claim record that this version writes, with the keys that it does not know kept', async () => {
    const { parseClaimRecord, renderClaimRecord: renderOld } = (await import(pathToFileURL(join(dist, 'observe/claimRecord.js')).href)) as typeof import('../../src/observe/claimRecord.ts');
    const oid = 'a'.repeat(40);
    const base: Omit<ClaimRecord, 'kind'> = {
      schema: 'cambium.claim/1', task: 'job', epoch: 2, attempt: 1, agent: 'worker-1', node: 'vm-new', incarnation: '3f0c', op: '01JD0ZB7QK0000000000000000', instruction: { blob: oid, commit: oid }, ttl_s: 180,
      claimed_at: '2026-11-21T00:48:00Z', branch: 'refs/heads/review/job', commit: oid, result: oid, reason: 'why', by: 'Maria', not_before: '2026-11-21T00:48:00Z', spent: true, feedback: true, question: 'which?', outcome: 'done',
    };
    for (const kind of CLAIM_KINDS) {
      const written = renderClaimRecord({ ...base, kind } as ClaimRecord);
      expect(JSON.parse(renderOld(parseClaimRecord(Buffer.from(written))))).toEqual(JSON.parse(written));
    }
  });
});
