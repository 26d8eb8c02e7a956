import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { cloneRepository } from '../../../src/adapters/git/cloneRepository.ts';
import { openGitHub } from '../../../src/adapters/git/hub.ts';
import { checkGitVersion, git, tryGit } from '../../../src/adapters/git/run.ts';
import { openGitStore } from '../../../src/adapters/git/store.ts';
import { withGit } from '../../support/otherGit.ts';
import { cloneOf, gitIn, makeBareHub, makeClone, setHook, tempDir, writeCommit } from '../../support/repo.ts';

const temp = tempDir('run');
afterAll(() => temp.remove());
let made = 0;
const folder = (): string => join(temp.path, String(made++));

describe('a machine without git is told so', () => {
  test('by a command that was to be run once', async () => {
    await expect(withGit(folder(), null, () => tryGit(['version']))).rejects.toMatchObject({ code: 'git-missing', hint: 'Install git 2.38 or newer.' });
  });

  test('by what asks the hub', async () => {
    const clone = makeClone(folder(), 'nowhere');
    await expect(withGit(folder(), null, () => openGitHub({ gitDir: join(clone, '.git'), url: 'nowhere' }).list())).rejects.toMatchObject({ code: 'git-missing' });
  });

  test('by what reads objects', async () => {
    const store = await openGitStore({ gitDir: makeBareHub(folder()) });
    await expect(withGit(folder(), null, () => store.readBlob('a'.repeat(40)))).rejects.toMatchObject({ code: 'git-missing' });
    await store.close();
  });
});

test('a folder that is not there is not taken for a missing git', async () => {
  const gone = folder();
  await expect(tryGit(['version'], { cwd: gone })).rejects.toMatchObject({ code: 'git-failed', message: expect.stringContaining(gone) as string });
});

describe('a git that', () => {
  test.each([['2.37.9', false], ['1.9.1', false], ['2.38.0', true], ['2.39.5 (Apple Git-154)', true], ['3.0.0', true]])('is %s: good enough is %s', async (version, good) => {
    const asked = withGit(folder(), `echo 'git version ${version}'`, checkGitVersion);
    if (good) expect(await asked).toBe(version);
    else await expect(asked).rejects.toMatchObject({ code: 'git-too-old', message: expect.stringContaining(version) as string });
  });

  test('finds the disk full is told apart from one that fails', async () => {
    const says = (text: string): Promise<unknown> => withGit(folder(), `echo '${text}' >&2; exit 128`, () => git(['gc']));
    await expect(says('fatal: sha1 file write error: No space left on device')).rejects.toMatchObject({ code: 'disk-full' });
    await expect(says('fatal: Disk quota exceeded')).rejects.toMatchObject({ code: 'disk-full' });
    await expect(says('fatal: bad object HEAD')).rejects.toMatchObject({ code: 'git-failed', message: 'git gc failed (exit 128): fatal: bad object HEAD' });
  });

  test('hangs is ended in time, and that is a value', async () => {
    expect(await withGit(folder(), 'exec sleep 600', () => tryGit(['fetch'], { timeoutMs: 100 }))).toMatchObject({ code: -1 });
  });

  test('is not wanted any more is ended at once', async () => {
    const asked = new AbortController();
    const ran = withGit(folder(), 'exec sleep 600', () => tryGit(['fetch'], { signal: asked.signal }));
    asked.abort();
    expect(await ran).toMatchObject({ code: -1 });
  });
});

describe('cloning', () => {
  const hub = makeBareHub(join(temp.path, 'hub.git'));
  const maker = makeClone(join(temp.path, 'maker'), hub);
  gitIn(maker, ['push', '--quiet', hub, `${writeCommit(maker, 'first', { files: { 'a.txt': 'a\n' } })}:refs/heads/fleet`]);

  test('checks out the branch that was asked for, and runs no hook of a template', async () => {
    const template = folder();
    gitIn('.', ['init', '--quiet', '--bare', template]);
    const touched = join(temp.path, 'touched');
    setHook(template, 'post-checkout', `touch '${touched}'`);
    process.env['GIT_TEMPLATE_DIR'] = template;
    const [ours, theirs] = [folder(), folder()];
    try {
      await cloneRepository(hub, 'fleet', ours);
      expect(gitIn(ours, ['symbolic-ref', 'HEAD'])).toBe('refs/heads/fleet');
      expect(() => gitIn(temp.path, ['hash-object', touched])).toThrow();
      cloneOf(hub, theirs, ['--branch', 'fleet']);
      expect(() => gitIn(temp.path, ['hash-object', touched])).not.toThrow();
    } finally {
      delete process.env['GIT_TEMPLATE_DIR'];
    }
  });

  test('into a folder that is not empty, or of a branch that is not there, is refused in git\'s words', async () => {
    await expect(cloneRepository(hub, 'fleet', maker)).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining('already exists and is not an empty directory') as string });
    await expect(cloneRepository(hub, 'no-such', folder())).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining('no-such') as string });
  });
});
