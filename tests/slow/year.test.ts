/**
 * A year of a busy fleet: 100,000 finished tasks. Times are printed and judged by `npm run bench -- year`; what stands
 * here are the facts. YEAR_COUNT makes it a smaller year.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli, cliJson } from '../support/cli.ts';
import type { Reply } from '../support/cli.ts';
import { config, runbook } from '../support/fleet.ts';
import { gitIn, refsOf, tempDir } from '../support/repo.ts';
import { writeYear } from '../support/year.ts';
import type { Year } from '../support/year.ts';

const COUNT = Number(process.env['YEAR_COUNT'] ?? 100_000);
const LIVE = 300;
const MINUTES_MS = 60_000;

describe('a hub with a year of finished tasks', () => {
  const dir = tempDir('year');
  const hub = join(dir.path, 'hub.git');
  const clone = join(dir.path, 'clone');
  let year: Year;
  let cloned: Reply<{ node: string }>;
  let status: Reply<{ counts: Record<string, number>; quarantine: readonly unknown[] }>;

  beforeAll(async () => {
    year = await timed(`${COUNT} tasks written`, () => writeYear(hub, { count: COUNT, live: LIVE, config: config() }));
    await timed('cambium clone and cambium status, together', async () => {
      cloned = await timed('cambium clone', () => cliJson(['clone', hub, clone, '--node', 'newcomer'], { cwd: dir.path }));
      status = await timed('cambium status', () => cliJson(['status'], { cwd: clone }));
    });
    gitIn(clone, ['config', 'user.name', 'Maria']);
    gitIn(clone, ['config', 'user.email', 'maria@example.org']);
  }, 20 * MINUTES_MS);

  afterAll(() => dir.remove());

  it('has few live refs', () => {
    expect(refsOf(hub).size).toBeLessThan(2_000);
  });

  it('a new clone has joined, knows the state of every task that is not archived, and has the archive in git only', () => {
    expect(cloned).toMatchObject({ ok: true, data: { node: 'newcomer' } });
    expect(status).toMatchObject({ ok: true, data: { counts: { done: LIVE, ready: 0, held: 0, blocked: 0 }, quarantine: [] } });
    expect([existsSync(join(clone, 'tasks/archive')), gitIn(clone, ['status', '--porcelain'])]).toEqual([false, '']);
    expect(gitIn(clone, ['cat-file', '-t', `HEAD:${year.path(year.ids[0] as string)}`])).toBe('blob');
  });

  it('every result names a claim that is still reachable', { timeout: 10 * MINUTES_MS }, async () => {
    const reachable = await timed('the chains of all refs listed', async () => new Set(gitIn(hub, ['rev-list', '--glob=refs/cambium/archive/*', '--glob=refs/cambium/claims/*', '--not', 'refs/heads/main'], '').split('\n')));
    const claims = await timed('all results read', async () => resultClaims(hub));
    expect(claims.size).toBe(COUNT);
    expect([...claims].filter(([, claim]) => !reachable.has(claim)).map(([path]) => path).slice(0, 5)).toEqual([]);
  });

  it('a task is added, claimed and landed that depends on one of the first week', { timeout: 10 * MINUTES_MS }, async () => {
    const body = runbook('After a year', 'echo still here > anniversary.txt');
    const args = ['task', 'add', 'After a year', '--id', 'after-a-year', '--depends', year.ids[0] as string, '--verify', 'test -s anniversary.txt', '--body', '-'];
    const added = await timed('cambium task add', () => cli(args, { cwd: clone, input: body.replace(/^---[^]*?---\n/, '') }));
    expect(added).toMatchObject({ exit: 0 });
    const up = await timed('cambium up --until-idle with one task', () => cli(['up', '--until-idle', '--agents', 'worker-1'], { cwd: clone }));
    expect({ exit: up.exit, said: up.stdout + up.stderr }).toMatchObject({ exit: 0 });
    expect(gitIn(hub, ['show', 'main:anniversary.txt'])).toBe('still here');
    expect(gitIn(clone, ['show', 'HEAD:tasks/after-a-year.result.md'])).toMatch(/^outcome: done$/m);
    // The checkout followed: what landed is there, what only machines add to is not, and git calls nothing deleted.
    expect([existsSync(join(clone, 'anniversary.txt')), existsSync(join(clone, 'agents/spawns')), gitIn(clone, ['status', '--porcelain'])]).toEqual([true, false, '']);
    expect(gitIn(hub, ['ls-tree', '-r', '--name-only', 'main', 'tasks/archive']).split('\n')).toHaveLength(2 * (COUNT - LIVE));
  });

  it('an id of the archive is not used again', { timeout: 2 * MINUTES_MS }, async () => {
    const added = await timed('cambium task add of a used id', () => cliJson(['task', 'add', 'Once more', '--id', year.ids[1] as string], { cwd: clone }));
    expect(added).toMatchObject({ ok: false });
  });
});

/** The claim that each result file of main names, by its path: one process for all of them. What YAML might take for a number is quoted. */
function resultClaims(hub: string): ReadonlyMap<string, string> {
  const found = gitIn(hub, ['grep', '--no-color', '-E', '^claim: "?[0-9a-f]{40}', 'main', '--', 'tasks/']).split('\n');
  return new Map(found.map((line) => {
    const [, path = '', claim = ''] = /^main:(.+):claim: "?([0-9a-f]+)"?$/.exec(line) ?? [];
    return [path, claim];
  }));
}

async function timed<T>(what: string, work: () => Promise<T> | T): Promise<T> {
  const started = performance.now();
  const answer = await work();
  process.stdout.write(`year: ${what}: ${((performance.now() - started) / 1_000).toFixed(1)} s\n`);
  return answer;
}
