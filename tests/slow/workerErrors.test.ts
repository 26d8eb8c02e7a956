/** What templates/WORKER_CLAUDE.md tells a worker to expect when something goes wrong, made to go wrong. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cliJson } from '../support/cli.ts';
import type { Reply } from '../support/cli.ts';
import { GREETING, claimAnother, makePlace, must } from '../support/place.ts';
import type { Place } from '../support/place.ts';
import { gitIn } from '../support/repo.ts';

describe('the errors that the worker template tells of', () => {
  let place: Place;
  const asHelper = (...args: readonly string[]): Promise<Reply<Record<string, unknown>>> => place.json(args, { CAMBIUM_AGENT: 'helper' });
  const code = ({ exit, error }: Reply<unknown>): readonly unknown[] => [exit, error?.code];

  beforeAll(async () => {
    place = await makePlace('helper');
    gitIn(place.root, ['init', '--quiet', '--bare', '--initial-branch=main', 'hub.git']);
    await must(place.person('join', join(place.root, 'hub.git'), '--node', 'here'));
    await must(place.person('task', 'add', 'Write a greeting', '--id', 'greeting', ...GREETING));
  }, 60_000);
  afterAll(() => place?.remove());

  it('have the code and the exit that it says', async () => {
    expect(code(await asHelper('task', 'claim', 'greeting'))).toEqual([0, undefined]);
    expect(code(await place.json(['task', 'claim', 'greeting', '--agent', 'other']))).toEqual([1, 'lost-race']);
    expect(code(await asHelper('task', 'renew', 'greeting', '--epoch', '7'))).toEqual([1, 'fenced']);
    expect(code(await asHelper('task', 'complete', 'greeting', '--epoch', '1'))).toEqual([1, 'refused']);
    expect(code(await asHelper('task', 'claim', 'greting'))).toEqual([1, 'unknown-task']);
    expect(code(await asHelper('task', 'add', 'Again', '--id', 'greeting'))).toEqual([1, 'id-used']);
    expect(code(await asHelper('task', 'claim'))).toEqual([3, 'nothing-ready']);
    expect(code(await place.json(['task', 'claim']))).toEqual([2, 'usage']);
    expect(code(await cliJson(['status'], { cwd: place.root }))).toEqual([2, 'not-a-workspace']);
  }, 60_000);

  it('a red verify and a change out of scope are refused, mended in the worktree, and land at the same command asked again', async () => {
    const worktree = join(place.path, '.cambium/worktrees/greeting-1');
    place.write('.cambium/report.md', '---\ncriteria:\n  - { text: greeting.txt says Hello, met: true, evidence: "cat greeting.txt" }\n---\n');
    const complete = (): Promise<Reply<Record<string, unknown>>> => asHelper('task', 'complete', 'greeting', '--epoch', '1', '--result', '.cambium/report.md');
    const red = await complete();
    expect(code(red)).toEqual([1, 'refused']);
    expect(red.error.message).toMatch(/verify was red/);
    writeFileSync(join(worktree, 'greeting.txt'), 'Hello\n');
    writeFileSync(join(worktree, 'AGENTS.md'), 'mine\n');
    const breach = await complete();
    expect(code(breach)).toEqual([1, 'refused']);
    expect(breach.error.message).toMatch(/AGENTS\.md/);
    gitIn(worktree, existsInHead(worktree, 'AGENTS.md') ? ['checkout', '--quiet', '--', 'AGENTS.md'] : ['clean', '--quiet', '--force', 'AGENTS.md']);
    gitIn(worktree, ['add', '--all']);
    gitIn(worktree, ['-c', 'user.name=helper', '-c', 'user.email=helper@example.org', 'commit', '--quiet', '-m', 'greeting: say Hello']);
    const own = gitIn(worktree, ['rev-parse', 'HEAD']);
    expect(code(await complete())).toEqual([0, undefined]);
    expect(place.read('tasks/greeting.result.md'), 'a commit of its own is named').toContain(own);
  }, 60_000);

  it('a claim that was cancelled meanwhile is fenced: nothing lands, and the work is kept under refs/cambium/stale', async () => {
    await claimAnother(place, 'late');
    writeFileSync(join(place.words.get('worktree') ?? '', 'late.txt'), 'late\n');
    await must(place.person('task', 'cancel', 'late'));
    expect(code(await asHelper('task', 'complete', 'late', '--epoch', '1'))).toEqual([1, 'fenced']);
    expect(gitIn(join(place.root, 'hub.git'), ['cat-file', 'blob', 'refs/cambium/stale/late/1:late.txt'])).toBe('late');
  }, 60_000);

  it('without the hub each command ends with 75, and the same one goes through when it is back', async () => {
    await claimAnother(place, 'patient');
    renameSync(join(place.root, 'hub.git'), join(place.root, 'away.git'));
    expect(code(await asHelper('task', 'renew', 'patient', '--epoch', '1'))).toEqual([75, 'hub-away']);
    expect(code(await asHelper('task', 'complete', 'patient', '--epoch', '1'))).toEqual([75, 'hub-away']);
    renameSync(join(place.root, 'away.git'), join(place.root, 'hub.git'));
    expect(code(await asHelper('task', 'complete', 'patient', '--epoch', '1'))).toEqual([0, undefined]);
  }, 60_000);
});

function existsInHead(worktree: string, file: string): boolean {
  return gitIn(worktree, ['ls-tree', '--name-only', 'HEAD', file]) === file;
}
