/** Two machines at work while people change their minds: review, edits, cancels, reopens and the archive, with tasks that wait for each other. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { config, fsck, makeFleet, runbook } from '../support/fleet.ts';
import type { Daemon, Seat, TestFleet } from '../support/fleet.ts';

interface Row {
  readonly id: string;
  readonly state: string;
  readonly reasons: readonly string[];
}

let fleet: TestFleet;
let daemons: readonly Daemon[];

const AGENTS = 'worker-1: { role: worker, node: vm-a }\n  worker-2: { role: worker, node: vm-b }';

beforeAll(async () => {
  fleet = await makeFleet({ config: config(undefined, AGENTS) });
  const seats = await Promise.all(['vm-a', 'vm-b'].map((name) => fleet.seat(name)));
  daemons = seats.map((seat) => seat.up());
}, 120_000);
afterAll(async () => {
  for (const { child } of daemons) child.kill('SIGINT');
  for (const daemon of daemons) expect(await daemon.finished()).toMatchObject({ exit: 0 });
  expect(fsck(fleet.hub)).toBe('');
  await fleet.close();
}, 120_000);

const person = (): Seat => fleet.home;
async function must(...args: readonly string[]): Promise<string> {
  const ran = await person().cambium(args);
  expect(ran, args.join(' ')).toMatchObject({ exit: 0 });
  return ran.stdout;
}
async function row(id: string): Promise<Row | undefined> {
  return (await person().json<{ tasks: Row[] }>(['task', 'list'])).data.tasks.find((task) => task.id === id);
}
const becomes = (id: string, state: string): Promise<unknown> => fleet.until(`${id} becomes ${state}`, async () => (await row(id))?.state === state);
const kinds = (id: string): readonly string[] => fleet.chain(id).map(({ kind, epoch }) => `${kind} ${epoch}`);

describe('a task with review, worked on by one node', () => {
  it('waits for its reviewer, is done again after a rejection, and lands on either node once it is approved; its dependant starts then', async () => {
    fleet.push({ 'tasks/poster.md': runbook('Draw the poster', 'date +%s%N > poster.txt', { review: 'human', verify: 'test -s poster.txt' }), 'tasks/hang.md': runbook('Hang it', 'cp poster.txt wall.txt', { depends_on: ['poster'] }) });
    await becomes('poster', 'review');
    expect(fleet.onMain('poster.txt')).toBeNull();
    const first = fleet.gitHub('cat-file', 'blob', 'refs/heads/review/poster:poster.txt');
    await must('task', 'reject', 'poster', '--why', 'too red');
    await fleet.until('the second try waits', () => kinds('poster').filter((kind) => kind.startsWith('review')).length === 2);
    const second = fleet.gitHub('cat-file', 'blob', 'refs/heads/review/poster:poster.txt');
    expect(second).not.toBe(first);
    expect((await row('hang'))?.state).toBe('blocked');
    expect(await person().cambium(['task', 'approve', 'poster', '--commit', 'deadbeefdeadbeef'])).toMatchObject({ exit: 1 });
    await must('task', 'approve', 'poster');
    await becomes('hang', 'done');
    expect([fleet.onMain('poster.txt'), fleet.onMain('wall.txt')]).toEqual([second, second]);
    expect(kinds('poster')).toEqual(['claim 1', 'review 1', 'release 1', 'claim 2', 'review 2', 'approve 2', 'claim 3', 'done 3']);
    expect(fleet.refs().has('refs/heads/review/poster')).toBe(false);
    expect(await must('show', 'poster')).toContain('+++ b/poster.txt');
  }, 120_000);
});

describe('an instruction that is edited while an agent works on it', () => {
  it('is landed by its new text only, under the same claim', async () => {
    fleet.push({ 'tasks/slow.md': runbook('Slow', 'echo old > slow.txt\nsleep 600') });
    await becomes('slow', 'held');
    const edited = await person().cambium(['task', 'edit', 'slow', '--body', '-'], { input: '```sh\necho new > slow.txt\n```\n' });
    expect(edited).toMatchObject({ exit: 0 });
    await becomes('slow', 'done');
    expect(fleet.onMain('slow.txt')).toBe('new');
    expect(kinds('slow').filter((kind) => kind.startsWith('claim'))).toEqual(['claim 1']);
    expect(kinds('slow').at(-1)).toBe('done 1');
  }, 120_000);
});

describe('tasks that others depend on', () => {
  it('cancelled while held: the agent ends, its work is kept, the dependant says what it waits for, and a reopening sets all going', async () => {
    fleet.push({ 'tasks/base.md': runbook('Base', 'echo half > base.txt\ntest -e go.txt || sleep 600\necho whole > base.txt'), 'tasks/top.md': runbook('Top', 'cat base.txt > top.txt', { depends_on: ['base'] }) });
    await becomes('base', 'held');
    await fleet.until('the agent has begun', async () => (await person().cambium(['worker', 'list'])).stdout.includes('base'));
    await must('task', 'cancel', 'base', '--reason', 'not now');
    await fleet.until('the dependant says so', async () => (await row('top'))?.reasons.join(' ').includes('base, which was cancelled'));
    expect(await must('explain', 'top')).toContain('base');
    fleet.push({ 'go.txt': 'go\n' });
    await must('task', 'reopen', 'base', '--reason', 'now');
    await becomes('top', 'done');
    expect([fleet.onMain('base.txt'), fleet.onMain('top.txt')]).toEqual(['whole', 'whole']);
    expect(kinds('base')).toEqual(['claim 1', 'cancel 1', 'reopen 1', 'claim 2', 'done 2']);
  }, 120_000);

  it('are not archived while one is open; archived, they still count as done, and come back by a reopening', async () => {
    fleet.push({ 'tasks/later.md': runbook('Later', 'echo later > later.txt', { depends_on: ['top'], not_before: '2999-01-01T00:00:00Z' }) });
    await fleet.until('it is seen', () => row('later'));
    expect(await person().cambium(['task', 'archive', 'top'])).toMatchObject({ exit: 1, stderr: expect.stringContaining('later') as string });
    await must('task', 'edit', 'later', '--depends', 'top,base', '--not-before', '');
    await becomes('later', 'done');
    await must('task', 'archive', 'base', 'top', 'later');
    expect(fleet.onMain('tasks/base.md')).toBeNull();
    fleet.push({ 'tasks/after.md': runbook('After', 'cat base.txt > after.txt', { depends_on: ['base'] }) });
    await becomes('after', 'done');
    await must('task', 'reopen', 'base', '--reason', 'once more');
    await becomes('base', 'done');
    expect(kinds('base').at(-1)).toBe('done 3');
    expect(fleet.onMain('tasks/base.result.md')).toMatch(/^epoch: 3$/m);
  }, 180_000);
});
