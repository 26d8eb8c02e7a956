/** What a project's worktree needs beside the files of its commit: ignored files of the person's folder, dependencies that a setup left behind. */
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { openOutfit } from '../../../../src/adapters/git/outfit.ts';
import { openWorktrees } from '../../../../src/adapters/git/worktrees.ts';
import type { Outfit, TreeNeeds } from '../../../../src/ports/projects.ts';
import type { Worktrees } from '../../../../src/ports/worktrees.ts';
import { LIBRARY } from '../../../support/project.ts';
import { gitIn, makeClone, tempDir } from '../../../support/repo.ts';

const folder = tempDir('outfit');
let at = '';
let number = 0;
let home = '';
let outfit: Outfit;
let worktrees: Worktrees;

beforeEach(() => {
  at = join(folder.path, `${++number}`);
  home = makeClone(join(at, 'home'), 'nowhere');
  commit(LIBRARY);
  const gitDir = join(home, '.git');
  outfit = openOutfit({ gitDir, source: async () => home, cacheDir: join(at, 'cache') });
  worktrees = openWorktrees(gitDir, join(at, 'worktrees'));
});

afterAll(() => folder.remove());

function commit(files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(home, path, '..'), { recursive: true });
    writeFileSync(join(home, path), text);
  }
  gitIn(home, ['add', '--all']);
  gitIn(home, ['commit', '--quiet', '-m', 'files']);
  return tip();
}

const tip = (): string => gitIn(home, ['rev-parse', 'HEAD']);

describe('what a tree needs', () => {
  const needs = (files: Readonly<Record<string, string>>): Promise<TreeNeeds> => outfit.needs(commit(files));

  test('lock files, wherever they stand', async () => {
    const { lockfiles, lfs, submodules } = await needs({ 'web/yarn.lock': 'x\n', 'Cargo.lock': 'x\n', 'not-a-Cargo.lock.txt': 'x\n' });
    expect([lockfiles.map(({ path }) => path), lfs, submodules]).toEqual([['Cargo.lock', 'package-lock.json', 'web/yarn.lock'], null, null]);
  });

  test('Git LFS, which is named where this machine cannot read it', async () => {
    expect((await needs({ 'art/.gitattributes': '# filter=lfs\n*.psd filter=lfs diff=lfs -text\n' })).lfs).toBe('art/.gitattributes');
  });

  test('Git LFS that is installed here needs nothing', async () => {
    const bin = join(at, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'git-lfs'), '#!/bin/sh\n');
    chmodSync(join(bin, 'git-lfs'), 0o755);
    const path = process.env['PATH'];
    process.env['PATH'] = `${bin}:${path}`;
    try {
      gitIn(home, ['config', 'filter.lfs.smudge', 'cat']);
      expect((await needs({ '.gitattributes': '*.psd filter=lfs\n' })).lfs).toBeNull();
    } finally {
      process.env['PATH'] = path;
    }
  });

  test('an attribute that only mentions LFS is none', async () => {
    expect((await needs({ '.gitattributes': '# filter=lfs\n*.psd -filter\n' })).lfs).toBeNull();
  });
});

describe('ignored files', () => {
  let worktree: string;

  beforeEach(async () => {
    worktree = await worktrees.create('job-1', tip());
  });

  test('are copied from the project\'s folder: a file, and a folder with the links that stay inside', async () => {
    writeFileSync(join(home, '.env'), 'TOKEN=1\n');
    mkdirSync(join(home, 'node_modules/.bin'), { recursive: true });
    writeFileSync(join(home, 'node_modules/tool.js'), 'tool\n');
    symlinkSync('../tool.js', join(home, 'node_modules/.bin/tool'));
    expect(await outfit.copy(worktree, ['.env', 'node_modules'])).toEqual([]);
    expect(readFileSync(join(worktree, '.env'), 'utf8')).toBe('TOKEN=1\n');
    expect(readlinkSync(join(worktree, 'node_modules/.bin/tool'))).toBe('../tool.js');
    expect(gitIn(worktree, ['status', '--porcelain'])).toBe('');
  });

  test('that git would commit are not: a secret must not land with the work', async () => {
    writeFileSync(join(home, 'secret.txt'), 'TOKEN=1\n');
    expect(await outfit.copy(worktree, ['secret.txt', 'package.json', 'src'])).toEqual([
      'secret.txt was not copied: the project does not ignore it, so it would be committed.', 'package.json was not copied: git tracks it.', 'src was not copied: git tracks it.',
    ]);
    expect(existsSync(join(worktree, 'secret.txt'))).toBe(false);
  });

  test('that are missing are named', async () => {
    expect(await outfit.copy(worktree, ['.env'])).toEqual([`.env was not copied: it is not in ${home}.`]);
  });

  test('are never reached through a symlink, on either side', async () => {
    const outside = join(at, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'a.log'), 'theirs\n');
    symlinkSync(outside, join(home, 'node_modules'));
    symlinkSync(join(outside, 'a.log'), join(home, 'b.log'));
    mkdirSync(join(home, 'logs'));
    writeFileSync(join(home, 'logs/c.log'), 'c\n');
    symlinkSync(outside, join(worktree, 'logs'));
    expect(await outfit.copy(worktree, ['node_modules/a.log', 'b.log', 'logs/c.log'])).toEqual([
      'node_modules/a.log was not copied: node_modules is a symlink there.', 'b.log was not copied: b.log is a symlink there.', 'logs/c.log was not copied: logs is a symlink in the worktree.',
    ]);
    expect(readdirSync(outside)).toEqual(['a.log']);
  });

  test('of a folder leave out links that lead out of the project', async () => {
    mkdirSync(join(home, 'node_modules'));
    symlinkSync('/etc/hostname', join(home, 'node_modules/abs'));
    symlinkSync('../../outside', join(home, 'node_modules/up'));
    symlinkSync('../src', join(home, 'node_modules/own'));
    writeFileSync(join(home, 'node_modules/x'), 'x\n');
    const [note] = await outfit.copy(worktree, ['node_modules']);
    expect(note).toMatch(/node_modules\/(abs|up), node_modules\/(abs|up) would lead out of the project; the rest was/);
    expect(readdirSync(join(worktree, 'node_modules')).toSorted()).toEqual(['own', 'x']);
  });
});

describe('what a setup left behind', () => {
  let [one, two] = ['', ''] as [string, string];

  beforeEach(async () => {
    [one, two] = [await worktrees.create('job-1', tip()), await worktrees.create('job-2', tip())];
    mkdirSync(join(one, 'node_modules/.bin'), { recursive: true });
    writeFileSync(join(one, 'node_modules/tool.js'), 'tool\n', { mode: 0o755 });
    symlinkSync('../tool.js', join(one, 'node_modules/.bin/tool'));
  });

  test('is there again in another worktree, modes and links included, and not shared with it', async () => {
    writeFileSync(join(one, '.env'), 'copied\n');
    expect(await outfit.keep(one, 'key', ['.env'])).toBeNull();
    expect(await outfit.restore(two, 'key')).toBe(true);
    expect(lstatSync(join(two, 'node_modules/tool.js')).mode & 0o777).toBe(0o755);
    expect(readlinkSync(join(two, 'node_modules/.bin/tool'))).toBe('../tool.js');
    expect(existsSync(join(two, '.env'))).toBe(false);
    writeFileSync(join(two, 'node_modules/tool.js'), 'spoilt\n');
    const three = await worktrees.create('job-3', tip());
    await outfit.restore(three, 'key');
    expect(readFileSync(join(three, 'node_modules/tool.js'), 'utf8')).toBe('tool\n');
  });

  test('of another key is not there', async () => {
    await outfit.keep(one, 'key', []);
    expect(await outfit.restore(two, 'other')).toBe(false);
    expect(existsSync(join(two, 'node_modules'))).toBe(false);
  });

  test.each([
    ['names its worktree', (path: string) => writeFileSync(join(path, 'node_modules/pip'), `#!${path}/bin/python\n`), /names the folder of its worktree/],
    ['points into its worktree', (path: string) => symlinkSync(join(path, 'src'), join(path, 'node_modules/src')), /points into its worktree/],
    ['leads out of it', (path: string) => symlinkSync('/etc', join(path, 'node_modules/etc')), /leads out of the worktree/],
  ])('is not kept where it %s', async (_name, spoil, why) => {
    spoil(one);
    expect(await outfit.keep(one, 'key', [])).toMatch(why);
    expect(await outfit.restore(two, 'key')).toBe(false);
  });

  test('is not written through a symlink of another commit', async () => {
    await outfit.keep(one, 'key', []);
    const outside = join(at, 'outside');
    mkdirSync(outside);
    symlinkSync(outside, join(two, 'node_modules'));
    expect(await outfit.restore(two, 'key')).toBe(false);
    expect(readdirSync(outside)).toEqual([]);
  });

  test('is kept for the five keys used last', async () => {
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) {
      await outfit.keep(one, key, []);
      await outfit.restore(two, 'a');
    }
    const kept = readdirSync(join(at, 'cache'));
    expect(kept.toSorted()).toEqual(['a', 'c', 'd', 'e', 'f']);
  });

  test('kept twice under one key is kept once', async () => {
    expect(await outfit.keep(one, 'key', [])).toBeNull();
    expect(await outfit.keep(one, 'key', [])).toBeNull();
    expect(readdirSync(join(at, 'cache'))).toEqual(['key']);
  });
});
