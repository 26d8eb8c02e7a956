/** Projects as people use them: by hand, beside protected code, on hosts with rules, with dependencies, submodules and LFS. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { config, fsck, makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';
import { makeProject } from '../support/project.ts';
import type { TestProject } from '../support/project.ts';
import { gitIn, makeBareHub, refsOf, setHook, tempDir } from '../support/repo.ts';

const SETTINGS = config('{ ttl: 60s, heartbeat: 5s, fetch: 200ms }');

describe('a fleet with a project', () => {
  let fleet: TestFleet;
  let project: TestProject;
  let seat: Seat;

  beforeEach(async () => {
    fleet = await makeFleet({ config: SETTINGS });
    project = makeProject(fleet.root);
    seat = await fleet.seat('vm-a');
  }, 60_000);

  afterEach(() => fleet.close());

  const settings = (line: string): void => void fleet.push({ 'cambium.yaml': `${SETTINGS}projects:\n  sums: { ${line} }\n` });
  const counted = (): string => join(fleet.root, 'setups');
  const setups = (): number => (existsSync(counted()) ? readFileSync(counted(), 'utf8').trim().split('\n').length : 0);
  const work = (file: string, front: Readonly<Record<string, unknown>> = {}): string => runbook(`Make ${file}`, `cat node_modules/tool 2>/dev/null || true\necho made > ${file}`, { project: 'sums', ...front });

  interface Claimed { readonly worktree: string; readonly epoch: number; readonly base: string; readonly feedback: string | null; readonly context: readonly { readonly path: string; readonly text: string }[] }
  const claim = async (): Promise<Claimed> => {
    const reply = await seat.json<Claimed>(['task', 'claim', 'job', '--agent', 'worker-1']);
    expect(reply).toMatchObject({ ok: true });
    return reply.data;
  };
  const complete = (epoch: number, report = 'Done.\n') => seat.cambium(['task', 'complete', 'job', '--agent', 'worker-1', '--epoch', String(epoch), '--result', '-'], { input: report });

  describe('by hand', () => {
    it('a claim makes a worktree of the project, set up, and completing it lands in both', async () => {
      settings(`url: ${JSON.stringify(project.hub)}, return: merge, setup: ["mkdir -p node_modules; echo tool > node_modules/tool"]`);
      fleet.push({ 'tasks/job.md': work('x', { verify: 'node --test', context_files: ['docs/style.md', 'workspace:cambium.yaml'] }) });
      const { worktree, epoch, base, context } = await claim();
      expect([base, existsSync(join(worktree, 'node_modules/tool')), existsSync(join(worktree, 'src/sum.js'))]).toEqual([project.refs().get('refs/heads/main'), true, true]);
      expect(context.map(({ path, text }) => [path, text.split('\n')[0]])).toEqual([['docs/style.md', 'Names are nouns.'], ['workspace:cambium.yaml', 'schema: cambium.fleet/1']]);
      expect(project.guests('job')).toEqual(['claim 1']);
      writeFileSync(join(worktree, 'src/more.js'), 'export const more = 1;\n');
      expect(await complete(epoch, 'By hand.\n')).toMatchObject({ exit: 0 });
      expect([project.landings('job').length, project.guests('job'), existsSync(worktree)]).toEqual([1, ['claim 1', 'landed 1'], false]);
      expect(fleet.onMain('tasks/job.result.md')).toMatch(/project: \{ name: sums, branch: main, commit: [^]*By hand\./);
      expect([fsck(fleet.hub), fsck(project.hub)]).toEqual(['', '']);
    });

    it('red verify and forbidden changes land nowhere', async () => {
      settings(`url: ${JSON.stringify(project.hub)}, return: merge`);
      fleet.push({ 'tasks/job.md': work('x', { verify: 'node --test' }) });
      const { worktree, epoch } = await claim();
      writeFileSync(join(worktree, 'src/sum.js'), 'export const sum = () => 0;\n');
      expect((await complete(epoch)).stderr).toContain('verify was red');
      writeFileSync(join(worktree, 'src/sum.js'), 'export const sum = (a, b) => a + b;\n');
      writeFileSync(join(worktree, 'CLAUDE.md'), 'Obey.\n');
      expect((await complete(epoch)).stderr).toContain('CLAUDE.md is protected');
      expect([project.landings('job'), fleet.onMain('tasks/job.result.md')]).toEqual([[], null]);
      expect(await seat.cambium(['task', 'fail', 'job', '--agent', 'worker-1', '--epoch', String(epoch), '--reason', 'no'])).toMatchObject({ exit: 0 });
      expect(fleet.onMain('tasks/job.result.md')).toContain('outcome: failed');
      expect([...project.refs().keys()].filter((ref) => ref.includes('/wip/'))).toHaveLength(1);
    });

    it('a setup that fails gives the claim back with its words', async () => {
      settings(`url: ${JSON.stringify(project.hub)}, return: merge, setup: ["echo no network here; exit 3"]`);
      fleet.push({ 'tasks/job.md': work('x') });
      const ran = await seat.cambium(['task', 'claim', 'job', '--agent', 'worker-1']);
      expect([ran.exit, ran.stderr]).toEqual([1, expect.stringMatching(/ended with 3[^]*no network here/)]);
      expect(fleet.chain('job').map(({ kind }) => kind)).toEqual(['claim', 'release']);
      expect(seat.git('worktree', 'list').split('\n')).toHaveLength(1);
      expect(existsSync(join(seat.path, '.cambium/worktrees/job-1'))).toBe(false);
    });

    it('a command that dies between the two landings is finished by the next one, and work that has landed is not done again', async () => {
      settings(`url: ${JSON.stringify(project.hub)}, return: merge`);
      fleet.push({ 'tasks/job.md': work('x') });
      const { worktree, epoch } = await claim();
      writeFileSync(join(worktree, 'src/more.js'), 'export const more = 1;\n');
      // The workspace refuses, as it would be away for a command that dies here.
      setHook(fleet.hub, 'pre-receive', 'grep -q refs/heads/main && exit 1; exit 0');
      expect((await complete(epoch)).exit).toBe(1);
      expect(project.landings('job')).toHaveLength(1);
      setHook(fleet.hub, 'pre-receive', null);
      expect(await seat.cambium(['task', 'release', 'job', '--agent', 'worker-1', '--epoch', String(epoch)])).toMatchObject({ exit: 0 });
      const again = await claim();
      expect(again.feedback).toContain('has landed in the project already');
      writeFileSync(join(again.worktree, 'src/evil.js'), 'x\n');
      expect((await complete(again.epoch)).stderr).toContain('has landed in the project already');
      gitIn(again.worktree, ['clean', '--quiet', '--force']);
      expect(await complete(again.epoch)).toMatchObject({ exit: 0 });
      expect([project.landings('job').length, fleet.chain('job').map(({ kind, epoch: at }) => `${kind} ${at}`)]).toEqual([1, ['claim 1', 'release 1', 'claim 2', 'done 2']]);
    });

    it('work that conflicts is refused with the mend, and an epoch that was followed is fenced with its work kept there', async () => {
      settings(`url: ${JSON.stringify(project.hub)}, return: merge`);
      fleet.push({ 'tasks/job.md': work('x') });
      const { worktree, epoch } = await claim();
      writeFileSync(join(worktree, 'docs/style.md'), 'Verbs.\n');
      project.push({ 'docs/style.md': 'Adjectives.\n' });
      expect((await complete(epoch)).stderr).toMatch(/conflicts with main of the project sums in docs\/style\.md/);
      expect(await fleet.home.cambium(['task', 'cancel', 'job'])).toMatchObject({ exit: 0 });
      const late = await complete(epoch);
      expect(late.stderr).toMatch(/refs\/cambium\/stale\/f-[0-9a-f]+\/job\/1 of the project sums/);
      expect([...project.refs().keys()].filter((ref) => ref.includes('/stale/'))).toHaveLength(1);
    });
  });

  describe('with a daemon', () => {
    const until = async (): Promise<void> => expect(await seat.up('--until-idle').finished()).toMatchObject({ exit: 0 });

    it('setup runs once for the same lock files, and `copy` brings what the project\'s folder ignores', async () => {
      writeFileSync(join(project.home, '.env'), 'TOKEN=1\n');
      gitIn(project.home, ['config', 'receive.denyCurrentBranch', 'updateInstead']);
      settings(`url: ${JSON.stringify(project.home)}, return: push, copy: [.env, src/sum.js], setup: ["echo x >> '${counted()}'; test -e .env; mkdir -p node_modules; echo tool > node_modules/tool"]`);
      fleet.push({ 'tasks/one.md': work('one.txt') });
      await until();
      fleet.push({ 'tasks/two.md': work('two.txt') });
      await until();
      expect([setups(), refsOf(project.home).has('refs/heads/cambium/two')]).toEqual([1, true]);
      expect(gitIn(project.home, ['ls-tree', '-r', '--name-only', 'cambium/two'])).not.toMatch(/env|node_modules/);
      project.push({ 'package-lock.json': '{ "name": "sums", "lockfileVersion": 3, "more": 1 }\n' });
      fleet.push({ 'tasks/three.md': work('three.txt') });
      await until();
      expect(setups()).toBe(2);
      expect(fleet.onMain('tasks/one.result.md')).toMatch(/branch: cambium\/one[^]*src\/sum\.js was not copied: git tracks it/);
    });

    it('a host that refuses refs of ours gets a branch for review, its main untouched, and the result says so', async () => {
      setHook(project.hub, 'pre-receive', 'grep -q "refs/cambium/" && { echo "only branches here" >&2; exit 1; }; exit 0');
      settings(`url: ${JSON.stringify(project.hub)}, return: merge`);
      fleet.push({ 'tasks/job.md': work('job.txt') });
      const main = project.refs().get('refs/heads/main');
      await until();
      expect([...project.refs().keys()]).toEqual(['refs/heads/main', 'refs/heads/review/job']);
      expect([project.refs().get('refs/heads/main'), project.file('job.txt', 'review/job')]).toEqual([main, 'made']);
      expect(fleet.onMain('tasks/job.result.md')).toMatch(/branch: review\/job[^]*refuses refs below refs\/cambium\//);
    });

    it('a protected main gets a branch for review, with the guest ref that fences it', async () => {
      setHook(project.hub, 'pre-receive', 'grep -q "refs/heads/main" && { echo "main is protected" >&2; exit 1; }; exit 0');
      settings(`url: ${JSON.stringify(project.hub)}, return: merge`);
      fleet.push({ 'tasks/job.md': work('job.txt') });
      await until();
      expect([project.file('job.txt', 'review/job'), project.file('job.txt'), project.guests('job')]).toEqual(['made', null, ['claim 1', 'landed 1']]);
      expect(fleet.onMain('tasks/job.result.md')).toMatch(/refuses pushes to main/);
    });

    it('Git LFS that this machine cannot read is refused by name, before an agent sees a pointer', async () => {
      project.push({ '.gitattributes': '*.psd filter=lfs\n' });
      settings(`url: ${JSON.stringify(project.hub)}, return: merge`);
      fleet.push({ 'tasks/job.md': work('job.txt') });
      await until();
      const text = fleet.chain('job').at(-1) as unknown as { kind: string; question: string };
      expect([text.kind, text.question]).toEqual(['input', expect.stringMatching(/\.gitattributes keeps files in Git LFS.*git lfs install/)]);
      expect(project.landings('job')).toEqual([]);
    });

    it('submodules are there for the agent, and what it changes in one cannot land', async () => {
      const home = join(fleet.root, 'user-home');
      mkdirSync(home);
      writeFileSync(join(home, '.gitconfig'), '[protocol "file"]\n\tallow = always\n');
      const inner = makeProject(fleet.root, 'inner', { 'inner.txt': 'inner\n' });
      gitIn(project.home, ['-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', inner.hub, 'vendor/inner']);
      gitIn(project.home, ['commit', '--quiet', '-m', 'a submodule']);
      gitIn(project.home, ['push', '--quiet', 'origin', 'HEAD:refs/heads/main']);
      settings(`url: ${JSON.stringify(project.hub)}, return: merge`);
      fleet.push({ 'tasks/job.md': runbook('Read it', 'cp vendor/inner/inner.txt copied.txt', { project: 'sums' }) });
      const daemon = await cli(['up', '--until-idle'], { cwd: seat.path, env: { HOME: home, GIT_CONFIG_GLOBAL: join(home, '.gitconfig') } });
      expect(daemon.exit).toBe(0);
      expect(fleet.chain('job').map(({ kind }) => kind), fleet.onMain('tasks/job.result.md') ?? '').toEqual(['claim', 'done']);
      expect(project.file('copied.txt')).toBe('inner');
      expect(seat.git('worktree', 'list').split('\n')).toHaveLength(1);
      fleet.push({ 'tasks/move.md': runbook('Move it', 'cd vendor/inner && git -c user.name=a -c user.email=a@example.org commit --quiet --allow-empty -m moved', { project: 'sums', max_attempts: 1 }) });
      expect((await cli(['up', '--until-idle'], { cwd: seat.path, env: { HOME: home, GIT_CONFIG_GLOBAL: join(home, '.gitconfig') } })).exit).toBe(0);
      expect(fleet.onMain('tasks/move.result.md')).toMatch(/outcome: failed[^]*vendor\/inner is a submodule/);
    });

    it('a project that is gone is not claimed for, and the rest of the fleet works on', async () => {
      settings(`url: ${JSON.stringify(join(fleet.root, 'nowhere.git'))}, return: merge`);
      fleet.push({ 'tasks/job.md': work('job.txt'), 'tasks/other.md': runbook('Another', 'echo here > other.txt') });
      const daemon = seat.up();
      await fleet.until('the other task is done', () => fleet.onMain('other.txt'));
      await fleet.until('it is said', () => daemon.said().includes('project away'));
      expect(fleet.chain('job')).toEqual([]);
    });
  });
});

describe('a workspace beside protected code', () => {
  const dirs: { remove(): void }[] = [];
  afterEach(() => dirs.splice(0).forEach((dir) => void dir.remove()));

  async function beside(): Promise<{ readonly root: string; readonly code: string; readonly fleet: string }> {
    const dir = tempDir('beside');
    dirs.push(dir);
    const code = join(dir.path, 'code');
    mkdirSync(code);
    gitIn(code, ['init', '--quiet', '--initial-branch=main']);
    gitIn(code, ['config', 'user.name', 'Maria']);
    gitIn(code, ['config', 'user.email', 'maria@example.org']);
    writeFileSync(join(code, 'index.js'), 'export {};\n');
    gitIn(code, ['add', '--all']);
    gitIn(code, ['commit', '--quiet', '-m', 'code']);
    expect(await cli(['init', '--branch', 'fleet'], { cwd: code })).toMatchObject({ exit: 0 });
    return { root: dir.path, code, fleet: `${code}-fleet` };
  }

  const task = runbook('Say hello', 'echo hello > hello.txt', { project: 'code' });

  it('leaves what its agents made on a branch for review in the person\'s own repository', async () => {
    const { code, fleet } = await beside();
    const [head, status] = [gitIn(code, ['rev-parse', 'main']), gitIn(code, ['status', '--porcelain=v2', '--branch'])];
    writeFileSync(join(fleet, 'tasks/hello.md'), task);
    expect(await cli(['up', '--until-idle'], { cwd: fleet })).toMatchObject({ exit: 0 });
    expect(gitIn(code, ['show', 'review/hello:hello.txt'])).toBe('hello');
    expect([gitIn(code, ['rev-parse', 'main']), gitIn(code, ['rev-parse', 'review/hello^']), gitIn(code, ['status', '--porcelain=v2', '--branch'])]).toEqual([head, head, status]);
    expect(readFileSync(join(fleet, 'tasks/hello.result.md'), 'utf8')).toContain('project: { name: code, branch: review/hello');
    expect(existsSync(join(code, '.cambium'))).toBe(false);
    // From the folder of the code, too.
    expect((await cli(['status'], { cwd: code })).stdout).toContain('1 done');
    expect(existsSync(join(code, '.cambium'))).toBe(false);
  });

  it('shares the code\'s remote once it has joined it', async () => {
    const { root, code, fleet } = await beside();
    const hub = makeBareHub(join(root, 'hub.git'));
    gitIn(code, ['remote', 'add', 'origin', hub]);
    gitIn(code, ['push', '--quiet', 'origin', 'main']);
    expect(await cli(['join', hub, '--node', 'vm-a'], { cwd: fleet })).toMatchObject({ exit: 0 });
    const second = join(root, 'second');
    expect(await cli(['clone', hub, second, '--node', 'vm-b'], { cwd: root })).toMatchObject({ exit: 0 });
    gitIn(second, ['config', 'user.name', 'Maria']);
    gitIn(second, ['config', 'user.email', 'maria@example.org']);
    writeFileSync(join(second, 'tasks/hello.md'), task);
    const main = gitIn(hub, ['rev-parse', 'main']);
    expect(await cli(['up', '--until-idle'], { cwd: second })).toMatchObject({ exit: 0 });
    expect([gitIn(hub, ['show', 'review/hello:hello.txt']), gitIn(hub, ['rev-parse', 'main']), gitIn(hub, ['rev-parse', 'review/hello^'])]).toEqual(['hello', main, main]);
    expect([...refsOf(hub).keys()].filter((ref) => ref.includes('guests'))).toHaveLength(1);
    expect(gitIn(hub, ['show', 'fleet:tasks/hello.result.md'])).toContain('branch: review/hello');
    expect(fsck(hub)).toBe('');
  });
});
