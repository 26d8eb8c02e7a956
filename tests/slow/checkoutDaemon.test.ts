/** A person works in the checkout while its daemon runs (DESIGN 8, PROTOCOL P11). */
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFleet, run, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;
let person: Seat;

beforeAll(async () => {
  fleet = await makeFleet();
  fleet.push({ 'README.md': '# A project\n', 'src/app.txt': 'one\n' });
  person = await fleet.seat('vm-a');
  person.up();
}, 60_000);

afterAll(() => fleet.close());

const text = (id: string, front = {}): string => runbook(id, `mkdir -p out; echo ${id} > out/${id}.txt`, front);
const at = (path: string): string => join(person.path, path);
const authorOf = (path: string): string => fleet.gitHub('log', '-1', '--format=%an <%ae>', '--diff-filter=A', 'main', '--', path);
const onDisk = (path: string): string | null => (existsSync(at(path)) ? readFileSync(at(path), 'utf8') : null);
const PERSON = 'Person vm-a <vm-a@example.org>';

async function done(id: string): Promise<void> {
  await fleet.until(`${id} is done`, () => fleet.onMain(`tasks/${id}.result.md`)?.includes('outcome: done'));
  expect(fleet.onMain(`out/${id}.txt`)).toBe(id);
}

/** The daemon moves files, index and branch under git's own index.lock: who comes in between tries again, as git says. */
async function git(...args: readonly string[]): Promise<string> {
  return fleet.until(`git ${args.join(' ')}`, () => {
    try {
      return { said: person.git(...args) };
    } catch (cause) {
      if (/index\.lock|cannot lock ref/.test(String(cause))) return null;
      throw cause;
    }
  }).then(({ said }) => said);
}

/** The checkout agrees with the hub, and git sees nothing to do. */
async function clean(): Promise<void> {
  await fleet.until('the checkout follows main', () => person.git('rev-parse', 'HEAD') === fleet.refs().get('refs/heads/main') && person.git('status', '--porcelain') === '');
}

describe('an instruction file that comes into tasks/', () => {
  it('by an editor that writes in pieces is published whole, as its author\'s', async () => {
    const [half, rest] = [text('edited').slice(0, 30), text('edited').slice(30)];
    writeFileSync(at('tasks/edited.md'), half);
    appendFileSync(at('tasks/edited.md'), rest);
    await done('edited');
    expect(authorOf('tasks/edited.md')).toBe(PERSON);
    expect(fleet.onMain('tasks/edited.md')).toBe(text('edited').trim());
    await clean();
  });

  it('by an editor that writes aside and renames is published as its author\'s', async () => {
    writeFileSync(at('tasks/.renamed.md.swp'), text('renamed'));
    renameSync(at('tasks/.renamed.md.swp'), at('tasks/renamed.md'));
    await done('renamed');
    expect(authorOf('tasks/renamed.md')).toBe(PERSON);
    await clean();
  });

  it('by cp, by mv, and many at once are all done, as their author\'s', async () => {
    const ids = ['copied', 'moved-1', 'moved-2', 'moved-3'];
    mkdirSync(join(fleet.root, 'drafts'));
    for (const id of ids) writeFileSync(join(fleet.root, 'drafts', `${id}.md`), text(id));
    copyFileSync(join(fleet.root, 'drafts/copied.md'), at('tasks/copied.md'));
    const moves = ids.slice(1).map((id) => join(fleet.root, 'drafts', `${id}.md`));
    expect(await run('mv', [...moves, at('tasks')], fleet.root)).toMatchObject({ exit: 0 });
    for (const id of ids) {
      await done(id);
      expect(authorOf(`tasks/${id}.md`)).toBe(PERSON);
    }
    await clean();
  });

  it('without front matter, in a subfolder, is a task too', async () => {
    mkdirSync(at('tasks/web'), { recursive: true });
    writeFileSync(at('tasks/web/plain.md'), '# Plain\n\n```sh\nmkdir -p out\necho plain > out/plain.txt\n```\n');
    await fleet.until('it is done', () => fleet.onMain('tasks/web/plain.result.md')?.includes('outcome: done'));
    expect(fleet.onMain('out/plain.txt')).toBe('plain');
    await clean();
  });

  it('by git pull from another clone is its author\'s, and the pull succeeds beside the daemon', async () => {
    fleet.push({ 'tasks/pulled.md': text('pulled') });
    await git('pull', '--quiet', '--no-rebase', '--no-edit', 'origin', 'main');
    await done('pulled');
    expect(authorOf('tasks/pulled.md')).toBe('Person visitor <visitor@example.org>');
    await clean();
  });

  it('by the command line is on the hub when that returns, as its author\'s', async () => {
    const body = join(fleet.root, 'body.md');
    writeFileSync(body, '```sh\nmkdir -p out\necho added > out/added.txt\n```\n');
    expect(await person.json(['task', 'add', 'Added by hand', '--id', 'added', '--body', body])).toMatchObject({ exit: 0, data: { task: 'added' } });
    expect(fleet.onMain('tasks/added.md')).toContain('Added by hand');
    await done('added');
    expect(authorOf('tasks/added.md')).toBe(PERSON);
    await clean();
  });
});

describe('a file that cannot be understood', () => {
  it('is set aside and shown with its place and its mend, while others are done; mended, it is done as well', async () => {
    writeFileSync(at('tasks/broken.md'), '---\ntitle: Broken\n\n# no end of the front matter\n');
    const shown = await fleet.until('status shows it', async () => (await person.cambium(['status'])).stdout.split('\n\n').find((part) => part.includes('tasks/broken.md')));
    expect(shown).toMatch(/tasks\/broken\.md:\d+ .+\n\s+→ .+/);
    writeFileSync(at('tasks/beside.md'), text('beside'));
    await done('beside');
    expect(fleet.onMain('tasks/broken.md')).toBeNull();
    expect(onDisk('tasks/broken.md')).toContain('no end of the front matter');

    writeFileSync(at('tasks/broken.md'), text('broken'));
    await done('broken');
    await clean();
    expect((await person.cambium(['status'])).stdout).not.toContain('Set aside');
  });
});

describe('a person who takes an instruction file away', () => {
  it('cancels the task that waited', async () => {
    writeFileSync(at('tasks/later.md'), text('later', { not_before: '2999-01-01T00:00:00Z' }));
    await fleet.until('it is on the hub', () => fleet.onMain('tasks/later.md'));
    await clean();
    rmSync(at('tasks/later.md'));
    await fleet.until('it is cancelled', () => fleet.onMain('tasks/later.result.md')?.includes('outcome: cancelled'));
    expect(fleet.onMain('tasks/later.md')).toBeNull();
    expect(fleet.chain('later').map(({ kind }) => kind)).toEqual(['cancel']);
    await clean();
  });

  it('cancels the task that is at work, and its agent ends', async () => {
    const started = join(fleet.root, 'endless-started');
    writeFileSync(at('tasks/endless.md'), runbook('endless', `touch '${started}'; echo some > some.txt; sleep 600`));
    await fleet.until('its agent works', () => existsSync(started) && fleet.onMain('tasks/endless.claim.json'));
    await clean();
    rmSync(at('tasks/endless.md'));
    await fleet.until('it is cancelled', () => fleet.onMain('tasks/endless.result.md')?.includes('outcome: cancelled'));
    await fleet.until('its agent has ended', async () => (await person.processes()).length === 1);
    expect(fleet.onMain('some.txt')).toBeNull();
    await fleet.until('its work is kept', () => fleet.refs().has('refs/cambium/stale/endless/1'));
    await clean();
  });
});

describe('a person\'s own commits and edits', () => {
  it('a commit that was never pushed reaches the hub as it is', async () => {
    writeFileSync(at('src/app.txt'), 'two\n');
    await git('commit', '--quiet', '--all', '-m', 'app: two');
    const commit = person.git('rev-parse', 'HEAD');
    await fleet.until('it is on the hub', () => { try { fleet.gitHub('merge-base', '--is-ancestor', commit, 'main'); return true; } catch { return false; } });
    expect(fleet.onMain('src/app.txt')).toBe('two');
    await clean();
  });

  it('a commit beside commits of others is merged, and keeps its oid', async () => {
    fleet.push({ 'other.txt': 'other\n' });
    writeFileSync(at('src/app.txt'), 'three\n');
    await git('commit', '--quiet', '--all', '-m', 'app: three');
    const commit = person.git('rev-parse', 'HEAD');
    await fleet.until('both are on main', () => fleet.onMain('src/app.txt') === 'three' && fleet.onMain('other.txt') === 'other');
    fleet.gitHub('merge-base', '--is-ancestor', commit, 'main');
    await clean();
  });

  it('an unsaved thought in a source file is neither published nor touched while main moves', async () => {
    writeFileSync(at('src/app.txt'), 'a thought\n');
    fleet.push({ 'tasks/meanwhile.md': text('meanwhile') });
    await done('meanwhile');
    await fleet.until('the result is in the checkout', () => onDisk('tasks/meanwhile.result.md'));
    await fleet.until('git sees nothing but the thought', () => person.git('status', '--porcelain') === 'M src/app.txt');
    expect(onDisk('src/app.txt')).toBe('a thought\n');
    expect(fleet.onMain('src/app.txt')).toBe('three');
    await git('checkout', '--quiet', '--', 'src/app.txt');
    await clean();
  });

  it('staged work is left alone, status says why, and all goes on when it is committed', async () => {
    writeFileSync(at('src/app.txt'), 'staged\n');
    await git('add', 'src/app.txt');
    const before = person.git('rev-parse', 'HEAD');
    fleet.push({ 'tasks/unseen.md': text('unseen') });
    await done('unseen');
    await fleet.until('status says why', async () => (await person.cambium(['status'])).stdout.includes('left alone: 1 file is staged'));
    expect([person.git('rev-parse', 'HEAD'), person.git('diff', '--cached', '--name-only'), onDisk('tasks/unseen.md')]).toEqual([before, 'src/app.txt', null]);

    await git('commit', '--quiet', '-m', 'app: staged');
    const commit = person.git('rev-parse', 'HEAD');
    await fleet.until('it is on the hub', () => fleet.onMain('src/app.txt') === 'staged');
    fleet.gitHub('merge-base', '--is-ancestor', commit, 'main');
    await clean();
    expect(onDisk('tasks/unseen.result.md')).toContain('outcome: done');
  });

  it('an edit that conflicts with main stays as it is, is kept under rescue/, and status says so', async () => {
    fleet.push({ 'memory/project/active.md': 'one\n' });
    await clean();
    // Left alone while something is staged, so both sides change before they meet.
    writeFileSync(at('src/app.txt'), 'held\n');
    await git('add', 'src/app.txt');
    await fleet.until('the checkout is left alone', async () => (await person.cambium(['status'])).stdout.includes('left alone'));
    writeFileSync(at('memory/project/active.md'), 'mine\n');
    fleet.push({ 'memory/project/active.md': 'theirs\n' });
    await git('restore', '--staged', '--worktree', 'src/app.txt');

    await fleet.until('mine is kept', () => [...fleet.refs().keys()].find((ref) => ref.startsWith('refs/cambium/rescue/vm-a/')));
    await fleet.until('status names the file', async () => (await person.cambium(['status'])).stdout.includes('memory/project/active.md'));
    expect([onDisk('memory/project/active.md'), fleet.onMain('memory/project/active.md')]).toEqual(['mine\n', 'theirs']);
  });
});
