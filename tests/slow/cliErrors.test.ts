/** Every error a user meets says what, where and the mend, with a code and an exit status that scripts may rely on. */
import { mkdirSync, mkdtempSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli, cliJson, startCli } from '../support/cli.ts';
import type { RunOptions } from '../support/cli.ts';
import { makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';
import { gitIn, makeBareHub } from '../support/repo.ts';

let fleet: TestFleet;
let seat: Seat;
let folders = 0;

beforeAll(async () => {
  fleet = await makeFleet();
  fleet.push({ 'tasks/open.md': runbook('Open', 'true'), 'tasks/other.md': runbook('Other', 'true') });
  seat = await fleet.seat('vm-a');
}, 60_000);

afterAll(() => fleet.close());

const folder = (): string => mkdtempSync(join(fleet.root, `place-${++folders}-`));

interface Failure {
  readonly code: string;
  readonly exit: number;
  readonly message: RegExp;
  readonly hint: RegExp;
}

/** The same failure by text and by JSON. Standard output carries only answers. */
async function expectFailure(args: readonly string[], options: RunOptions, { code, exit, message, hint }: Failure): Promise<void> {
  const reply = await cliJson(args, options);
  expect({ exit: reply.exit, ok: reply.ok, code: reply.error?.code }).toEqual({ exit, ok: false, code });
  expect(reply.error.message).toMatch(message);
  expect(reply.error.hint).toMatch(hint);
  const told = await cli(args, options);
  expect({ exit: told.exit, stdout: told.stdout }).toEqual({ exit, stdout: '' });
  expect(told.stderr).toMatch(/^cambium: /);
  expect(told.stderr).toMatch(/^ {2}→ \S/m);
  expect(told.stderr).not.toMatch(/^ {4}at /m);
}

describe('a place where cambium cannot work', () => {
  it('without git on PATH', async () => {
    const bin = folder();
    symlinkSync(process.execPath, join(bin, 'node'));
    await expectFailure(['status'], { cwd: seat.path, env: { PATH: bin } }, { code: 'git-missing', exit: 2, message: /git/, hint: /[Ii]nstall/ });
  });

  it('with a git that is too old', async () => {
    const bin = folder();
    writeFileSync(join(bin, 'git'), '#!/bin/sh\n[ "$*" = "${*#*version}" ] || { echo "git version 2.20.1"; exit 0; }\necho "error: unknown option" >&2\nexit 129\n', { mode: 0o755 });
    await expectFailure(['status'], { cwd: seat.path, env: { PATH: `${bin}:${process.env['PATH']}` } }, { code: 'git-too-old', exit: 2, message: /2\.20\.1.*2\.38/, hint: /[Uu]pgrade/ });
  });

  it('outside any repository', async () => {
    await expectFailure(['status'], { cwd: folder(), env: { GIT_CEILING_DIRECTORIES: fleet.root } }, { code: 'not-a-workspace', exit: 2, message: /not inside a git repository/, hint: /cambium init/ });
  });

  it('in a repository that is no workspace', async () => {
    const plain = folder();
    gitIn(plain, ['init', '--quiet', '--initial-branch=main']);
    gitIn(plain, ['-c', 'user.name=a', '-c', 'user.email=a@example.org', 'commit', '--quiet', '--allow-empty', '-m', 'one']);
    await expectFailure(['task', 'list'], { cwd: plain }, { code: 'not-a-workspace', exit: 2, message: /not a cambium workspace/, hint: /cambium init/ });
  });

  it('for somebody whom git does not know, and then nothing is made', async () => {
    const fresh = folder();
    const nobody = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'user.useConfigOnly', GIT_CONFIG_VALUE_0: 'true', EMAIL: undefined };
    await expectFailure(['init'], { cwd: fresh, env: nobody }, { code: 'no-identity', exit: 2, message: /who you are/, hint: /git config --global user\.name/ });
    expect(readdirSync(fresh).filter((name) => name !== '.git')).toEqual([]);
    const anonymous = join(fleet.root, 'anonymous');
    await cli(['clone', fleet.url, anonymous], { cwd: fleet.root });
    await expectFailure(['task', 'add', 'A task'], { cwd: anonymous, env: nobody }, { code: 'no-identity', exit: 2, message: /git does not know/, hint: /git config/ });
  });
});

describe('a hub that cannot serve', () => {
  it('a remote without the marker is named, and nothing is pushed to it', async () => {
    const bare = makeBareHub(join(folder(), 'plain.git'));
    gitIn(seat.path, ['push', '--quiet', bare, 'HEAD:refs/heads/main']);
    await expectFailure(['clone', bare, join(folder(), 'x')], { cwd: fleet.root }, { code: 'hub-not-joined', exit: 1, message: /not a fleet's hub|no refs\/cambium\/fleet/, hint: /cambium join/ });
    const clone = join(folder(), 'clone');
    gitIn(fleet.root, ['clone', '--quiet', bare, clone]);
    gitIn(clone, ['config', 'cambium.hub', 'origin']);
    await expectFailure(['task', 'list'], { cwd: clone }, { code: 'hub-not-joined', exit: 1, message: /no refs\/cambium\/fleet/, hint: /cambium join/ });
    expect(gitIn(bare, ['for-each-ref', '--format=%(refname)'])).toBe('refs/heads/main');
  });

  it('a hub that is away: writing fails with 75, reading answers from what is known and says so', async () => {
    renameSync(fleet.hub, `${fleet.hub}.away`);
    try {
      await expectFailure(['task', 'claim', 'open', '--agent', 'w1'], { cwd: seat.path }, { code: 'hub-away', exit: 75, message: /hub/, hint: /\S/ });
      const list = await seat.json<{ tasks: { id: string }[]; stale: string | null }>(['task', 'list']);
      expect(list).toMatchObject({ exit: 0, ok: true });
      expect(list.data.stale).toMatch(/\S/);
      expect(list.data.tasks.map(({ id }) => id)).toContain('open');
      expect((await seat.cambium(['status'])).stdout).toMatch(/could not be asked/);
    } finally {
      renameSync(`${fleet.hub}.away`, fleet.hub);
    }
  });

  it('a hub whose hook refuses pushes says so, and is not asked again and again', async () => {
    const pushes = join(fleet.root, 'pushes');
    writeFileSync(join(fleet.hub, 'hooks/pre-receive'), `#!/bin/sh\necho x >> '${pushes}'\necho 'main is protected' >&2\nexit 1\n`, { mode: 0o755 });
    try {
      const reply = await seat.json(['task', 'add', 'Not allowed', '--id', 'not-allowed']);
      expect(reply).toMatchObject({ exit: 1, ok: false, error: { code: 'hub-policy' } });
      expect(reply.error.message).toMatch(/main is protected/);
      expect(gitIn(fleet.root, ['hash-object', pushes])).toBe(gitIn(fleet.root, ['hash-object', '--stdin'], 'x\n'));
    } finally {
      writeFileSync(join(fleet.hub, 'hooks/pre-receive'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    }
  });
});

describe('a task that is not to be had', () => {
  it('an unknown one, with what may have been meant', async () => {
    for (const args of [['task', 'show', 'ope'], ['task', 'claim', 'ope', '--agent', 'w1'], ['task', 'cancel', 'ope'], ['task', 'complete', 'ope', '--agent', 'w1', '--epoch', '1']]) {
      await expectFailure(args, { cwd: seat.path }, { code: 'unknown-task', exit: 1, message: /no task ope/, hint: /open/ });
    }
  });

  it('one that somebody else holds: the race is lost, and who holds it is said', async () => {
    expect(await fleet.home.json(['task', 'claim', 'other', '--agent', 'w9'])).toMatchObject({ exit: 0 });
    const reply = await seat.json(['task', 'claim', 'other', '--agent', 'w1']);
    expect(reply).toMatchObject({ exit: 1, ok: false, error: { code: 'lost-race' } });
    expect(reply.error.message).toMatch(/w9.*home/);
    expect(await seat.json(['task', 'renew', 'other', '--agent', 'w1', '--epoch', '1'])).toMatchObject({ exit: 1, error: { code: 'fenced' } });
    expect(await seat.json(['task', 'release', 'other', '--agent', 'w1', '--epoch', '1'])).toMatchObject({ exit: 1, error: { code: 'fenced' } });
  });

  it('none that is ready: exit 3', async () => {
    expect(await seat.json(['task', 'claim', 'open', '--agent', 'w1'])).toMatchObject({ exit: 0 });
    await expectFailure(['task', 'claim', '--agent', 'w2'], { cwd: seat.path }, { code: 'nothing-ready', exit: 3, message: /[Nn]o task is ready/, hint: /task list/ });
  });

  it('an id that was used is never used again', async () => {
    const reply = await seat.json(['task', 'add', 'Again', '--id', 'open']);
    expect(reply).toMatchObject({ exit: 1, ok: false });
    expect(['refused', 'id-used']).toContain(reply.error.code);
  });

  it('a circle of dependencies is named and refused', async () => {
    fleet.push({ 'tasks/round-a.md': runbook('A', 'true', { depends_on: ['round-b'] }) });
    const reply = await seat.json(['task', 'add', 'B', '--id', 'round-b', '--depends', 'round-a']);
    expect(reply).toMatchObject({ exit: 1, ok: false, error: { code: 'refused' } });
    expect(reply.error.message).toMatch(/round-a/);
  });
});

describe('words that are not understood', () => {
  it.each([
    [['task', 'claim', 'open']], [['task', 'complete', 'open', '--agent', 'w1']], [['frobnicate']], [['task', 'add', 'x', '--priority', '9']], [['task', 'add', 'x', '--id', '../x']],
    [['up', '--idle', 'soon']], [['task', 'claim', '--agent', '-rf']],
  ])('%j ends with 2 and says which', async (args) => {
    const told = await cli(args, { cwd: seat.path });
    expect({ exit: told.exit, stdout: told.stdout }).toEqual({ exit: 2, stdout: '' });
    expect(told.stderr.length).toBeGreaterThan(20);
    const reply = await cliJson(args, { cwd: seat.path });
    expect(reply).toMatchObject({ exit: 2, ok: false, error: { code: 'usage' } });
  });
});

describe('a clone that is served already, or a name that is taken', () => {
  it('a second daemon in the same clone is refused, and the first goes on', async () => {
    const first = fleet.home.up();
    await fleet.until('it serves', () => first.said().includes('node home'));
    await expectFailure(['up', '--until-idle'], { cwd: fleet.home.path }, { code: 'daemon-running', exit: 1, message: new RegExp(`pid ${first.pid}`), hint: /cambium status/ });
    expect(first.child.exitCode).toBeNull();
    first.child.kill('SIGINT');
    expect(await first.finished()).toMatchObject({ exit: 0 });
  });

  it('a daemon under another clone\'s name is refused', async () => {
    await expectFailure(['up', '--until-idle', '--node', 'home'], { cwd: seat.path }, { code: 'node-taken', exit: 1, message: /home/, hint: /--node/ });
  });
});

describe('a hub that went backwards', () => {
  it('halts the daemon: it names the ref, pushes nothing and follows nothing; commands say the same', async () => {
    const daemon = seat.up();
    await fleet.until('the daemon beats', () => daemon.said().includes('node vm-a'));
    fleet.push({ 'tasks/lost.md': runbook('Lost', 'true', { not_before: '2999-01-01T00:00:00Z' }) });
    await fleet.until('it has seen the newest main', () => seat.git('rev-parse', 'HEAD') === fleet.refs().get('refs/heads/main'));
    const [mine, before] = [seat.git('rev-parse', 'HEAD'), fleet.gitHub('rev-parse', 'main~1')];
    fleet.gitHub('update-ref', 'refs/heads/main', before);

    const end = await daemon.finished(30_000);
    expect(end.exit).toBe(1);
    expect(end.stderr).toMatch(/^cambium: .*refs\/heads\/main/m);
    expect([fleet.refs().get('refs/heads/main'), seat.git('rev-parse', 'HEAD')]).toEqual([before, mine]);
    await expectFailure(['task', 'claim', 'lost', '--agent', 'w1'], { cwd: seat.path }, { code: 'hub-rewritten', exit: 1, message: /refs\/heads\/main/, hint: /reset|restore/ });
    expect(fleet.refs().get('refs/heads/main')).toBe(before);
    fleet.gitHub('update-ref', 'refs/heads/main', mine);
    expect(await seat.json(['task', 'list'])).toMatchObject({ exit: 0 });
  });
});

describe('a reader that has seen enough', () => {
  it('ends a verb and a daemon without a word', async () => {
    for (const args of [['task', 'list'], ['up', '--until-idle']]) {
      const running = startCli(args, { cwd: seat.path });
      running.child.stdout?.destroy();
      expect(await running.ended, args.join(' ')).toMatchObject({ exit: 0, stderr: '' });
    }
  });
});

describe('a fleet of a newer format', () => {
  it('is named and left alone', async () => {
    const marker = fleet.refs().get('refs/cambium/fleet') as string;
    const record = fleet.gitHub('cat-file', 'blob', 'refs/cambium/fleet:fleet.json').replace('"cambium.hub/1"', '"cambium.hub/9"').replace(/"format": ?1/, '"format":9');
    const blob = gitIn(fleet.hub, ['hash-object', '-w', '--stdin'], record);
    const tree = gitIn(fleet.hub, ['mktree'], `100644 blob ${blob}\tfleet.json\n`);
    const commit = fleet.gitHub('-c', 'user.name=a', '-c', 'user.email=a@example.org', 'commit-tree', tree, '-p', marker, '-m', 'newer');
    fleet.gitHub('update-ref', 'refs/cambium/fleet', commit);
    mkdirSync(join(fleet.root, 'newer'));
    await expectFailure(['clone', fleet.url, join(fleet.root, 'newer/x')], { cwd: fleet.root }, { code: 'schema-too-new', exit: 2, message: /cambium\.hub\/9/, hint: /[Uu]pgrade/ });
    await expectFailure(['task', 'add', 'x', '--id', 'too-new'], { cwd: seat.path }, { code: 'schema-too-new', exit: 2, message: /cambium\.hub\/9/, hint: /[Uu]pgrade/ });
    expect(fleet.onMain('tasks/too-new.md')).toBeNull();
  });
});

