/** A file on main that cannot be trusted or parsed harms nobody, is shown with its mend, and a good later version is picked up. */
import { existsSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';

interface Shown {
  readonly path: string;
  readonly line: number;
  readonly reason: string;
  readonly mend: string;
}

let fleet: TestFleet;
let seat: Seat;
let trap: string;

const RUN = '```sh\ntrue\n```\n';
const bad = (): Readonly<Record<string, string>> => ({
  'tasks/unclosed.md': `---\ntitle: Unclosed\n\n${RUN}`,
  'tasks/twice.md': `---\ntitle: A\ntitle: B\n---\n${RUN}`,
  'tasks/conflict.md': `---\ntitle: A\n---\n<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n${RUN}`,
  'tasks/script.md': `---js\n{ title: require('fs').writeFileSync('${trap}', '') }\n---\n${RUN}`,
  'tasks/nul.md': `# a\0b\n${RUN}`,
  'tasks/big.md': `# Big\n${'x'.repeat(1_100_000)}\n${RUN}`,
  'tasks/-rf.md': `# Option\n${RUN}`,
  'tasks/con.md': `# Device\n${RUN}`,
  'tasks/Upper Case.md': `# Name\n${RUN}`,
  'tasks/bomb.md': `---\na: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: [*d, *d, *d, *d, *d, *d, *d, *d, *d]\n---\n${RUN}`,
});

const shown = async (): Promise<readonly Shown[]> => (await seat.json<{ quarantine: readonly Shown[] }>(['status'])).data.quarantine;
const done = (id: string): boolean => fleet.onMain(`tasks/${id}.result.md`)?.includes('outcome: done') === true;

beforeAll(async () => {
  fleet = await makeFleet();
  trap = join(fleet.root, 'executed');
  seat = await fleet.seat('vm-a');
  // A plain `git push`: nothing of the fleet looks at these files before they are on main.
  fleet.push({ ...bad(), 'tasks/good.md': runbook('Good', 'echo good > good.txt') });
}, 60_000);

afterAll(() => fleet.close());

describe('ten bad files and a good one on main', () => {
  it('the good one is done, the daemon ends with 0, nothing of the bad ones is executed', async () => {
    expect(await seat.up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expect(done('good')).toBe(true);
    expect(existsSync(trap)).toBe(false);
    const results = fleet.gitHub('ls-tree', '--name-only', 'main', 'tasks/').split('\n').filter((path) => /\.(result\.md|claim\.json)$/.test(path));
    expect(results).toEqual(['tasks/good.result.md']);
  });

  it('each bad one is shown with file, line, reason and mend', async () => {
    const found = await shown();
    expect(found.map(({ path }) => path).toSorted()).toEqual(Object.keys(bad()).toSorted());
    for (const { path, line, reason, mend } of found) expect([path, line > 0, reason !== '', mend !== '']).toEqual([path, true, true, true]);
  });

  it('the checkout holds them as they were pushed', () => {
    expect(seat.git('status', '--porcelain')).toBe('');
    expect(seat.read('tasks/unclosed.md')).toBe(bad()['tasks/unclosed.md']);
  });

  it('a good later version is picked up and done', async () => {
    fleet.push({ 'tasks/unclosed.md': runbook('Closed', 'echo closed > closed.txt'), 'tasks/twice.md': runbook('Once', 'echo once > once.txt') });
    expect(await seat.up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expect([done('unclosed'), done('twice')]).toEqual([true, true]);
    expect((await shown()).map(({ path }) => path)).not.toContain('tasks/unclosed.md');
  });
});

it('a symbolic link in tasks/ is never followed, by the daemon or by git', async () => {
  writeFileSync(join(fleet.root, 'secret.md'), runbook('Secret', 'echo secret > secret.txt'));
  symlinkSync(join(fleet.root, 'secret.md'), join(seat.path, 'tasks/link.md'));
  expect(await seat.up('--until-idle').finished()).toMatchObject({ exit: 0 });
  expect([done('link'), fleet.onMain('secret.txt')]).toEqual([false, null]);
  seat.git('add', 'tasks/link.md');
  seat.git('commit', '--quiet', '-m', 'a link');
  expect(await seat.up('--until-idle').finished()).toMatchObject({ exit: 0 });
  expect([done('link'), fleet.onMain('secret.txt')]).toEqual([false, null]);
  expect((await shown()).map(({ path }) => path)).toContain('tasks/link.md');
});

it('a bad cambium.yaml keeps the last good one in force, and status says where it is bad', async () => {
  const daemon = seat.up();
  await fleet.until('the daemon beats', () => daemon.said().includes('node vm-a'));
  const good = fleet.onMain('cambium.yaml') as string;
  fleet.push({ 'cambium.yaml': `${good.replace('30s', '1s')}agents: [\n`, 'tasks/after-bad.md': runbook('After', 'echo after > after.txt') });
  await fleet.until('work goes on', () => done('after-bad'));
  const problem = await fleet.until('status says where', async () => (await shown()).find(({ path }) => path === 'cambium.yaml'));
  expect(problem.line).toBeGreaterThan(1);
  fleet.push({ 'cambium.yaml': `${good}\n` });
  await fleet.until('the mended one is in force', async () => !(await shown()).some(({ path }) => path === 'cambium.yaml'));
  daemon.child.kill('SIGINT');
  expect(await daemon.finished()).toMatchObject({ exit: 0 });
  expect(readdirSync(seat.path)).not.toContain('secret.txt');
});
