/** The clone that a hook runs in, found without git: held against what git itself says. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileNames, listRefs, lookUp } from '../../../src/adapters/git/lookUp.ts';
import { findHookPlace } from '../../../src/adapters/system/hookPlace.ts';
import { gitIn, makeBareHub, makeClone, tempDir, writeCommit } from '../../support/repo.ts';

const folder = tempDir('hook-place');
const root = join(folder.path, 'clone');
const commonDir = join(root, '.git');
const git = (cwd: string, ...args: readonly string[]): string => gitIn(cwd, args);

beforeAll(() => {
  makeClone(root, join(folder.path, 'nowhere'));
  mkdirSync(join(root, 'a b'));
  for (const [path, text] of [['cambium.yaml', 'schema: cambium.fleet/1\n'], ['a b/ü.md', 'text\nwith lines\n']] as const) writeFileSync(join(root, path), text);
  git(root, 'add', '--all');
  git(root, 'commit', '--quiet', '-m', 'first');
});
afterAll(() => folder.remove());

const main = (): string => git(root, 'symbolic-ref', 'HEAD');

test('a clone that no command has run in yet is a workspace by its cambium.yaml, its own branch is the fleet\'s', () => {
  expect(findHookPlace(root)).toEqual({ root, commonDir, stateDir: join(commonDir, 'cambium'), main: main() });
});

test('from a folder in it, from a worktree, and from one of another repository that stands inside it', () => {
  mkdirSync(join(root, 'src/deep'), { recursive: true });
  git(root, 'worktree', 'add', '--quiet', '--detach', join(root, '.cambium/worktrees/one-1'));
  makeClone(join(root, '.cambium/worktrees/two-1'), join(folder.path, 'nowhere'));
  for (const place of ['src/deep', '.cambium/worktrees/one-1', '.cambium/worktrees/two-1']) expect(findHookPlace(join(root, place))).toMatchObject({ root, commonDir });
});

test('a worktree outside of the clone knows the clone\'s git directory', () => {
  const away = join(folder.path, 'away');
  git(root, 'worktree', 'add', '--quiet', '--detach', away);
  expect(findHookPlace(away)).toMatchObject({ root: away, commonDir });
});

test('main is what the hub was last seen at, loose or packed', () => {
  const mirrored = `refs/hub/${main().slice('refs/'.length)}`;
  git(root, 'update-ref', mirrored, 'HEAD');
  expect(findHookPlace(root)?.main).toBe(mirrored);
  git(root, 'pack-refs', '--all');
  expect(findHookPlace(root)?.main).toBe(mirrored);
  git(root, 'config', 'cambium.branch', 'fleet');
  expect(findHookPlace(root)?.main).toBe('refs/heads/fleet');
  git(root, 'config', '--unset', 'cambium.branch');
});

test('from the code to the workspace that stands beside it', () => {
  const code = makeClone(join(folder.path, 'code'), join(folder.path, 'nowhere'));
  git(code, 'reset', '--quiet', '--hard', writeCommit(code, 'code'));
  const beside = join(folder.path, 'code-fleet');
  git(code, 'worktree', 'add', '--quiet', '-b', 'fleet', beside);
  writeFileSync(join(beside, 'cambium.yaml'), '');
  mkdirSync(join(code, '.git/cambium'));
  git(code, 'config', 'cambium.workspace', beside);
  expect(findHookPlace(code)).toMatchObject({ root: beside, commonDir: join(code, '.git'), main: 'refs/heads/fleet' });
});

test('nothing where there is no workspace', () => {
  expect(findHookPlace(folder.path)).toBeNull();
  expect(findHookPlace(makeClone(join(folder.path, 'other'), makeBareHub(join(folder.path, 'other.git'))))).toBeNull();
});

test('objects are looked up by name in one go; what is not there is null, whatever its name', () => {
  const [file, gone, tree, odd, commit] = lookUp(commonDir, ['HEAD:a b/ü.md', 'HEAD:gone', 'HEAD:a b', 'HEAD:x\nHEAD:cambium.yaml', 'HEAD']);
  expect(file?.bytes.toString('utf8')).toBe('text\nwith lines\n');
  expect([gone, odd]).toEqual([null, null]);
  expect(fileNames(tree ?? null)).toEqual(['ü.md']);
  expect([commit?.type, commit?.oid]).toEqual(['commit', git(root, 'rev-parse', 'HEAD')]);
  expect(listRefs(commonDir, 'refs/heads').get(main())).toBe(git(root, 'rev-parse', 'HEAD'));
});
