/** A second repository with tests of its own, for fleets whose tasks work in it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gitIn, makeBareHub, refsOf } from './repo.ts';

export interface TestProject {
  /** Path of its bare repository, and of the folder where its people work. */
  readonly hub: string;
  readonly home: string;
  refs(): Map<string, string>;
  /** Content of a path on a branch, or null. */
  file(path: string, branch?: string): string | null;
  /** A person's commit on main; null deletes. Returns its oid. */
  push(files: Readonly<Record<string, string | null>>): string;
  /** Oids of the commits on a branch that landed a task of any fleet, oldest first. */
  landings(task: string, branch?: string): readonly string[];
  git(...args: readonly string[]): string;
  /** Kind and epoch of the transitions of a task's guest chain, oldest first. */
  guests(task: string): readonly string[];
}

/** A node library with a test, as `node --test` runs it. */
export const LIBRARY: Readonly<Record<string, string>> = {
  'package.json': '{ "name": "sums", "private": true, "type": "module" }\n',
  'package-lock.json': '{ "name": "sums", "lockfileVersion": 3 }\n',
  '.gitignore': 'node_modules/\n.env\n*.log\n',
  'src/sum.js': 'export const sum = (a, b) => a + b;\n',
  'test/sum.test.js': "import { test } from 'node:test';\nimport assert from 'node:assert';\nimport { sum } from '../src/sum.js';\ntest('sums', () => assert.equal(sum(1, 2), 3));\n",
  'docs/style.md': 'Names are nouns.\n',
};

export function makeProject(root: string, name = 'sums', files: Readonly<Record<string, string>> = LIBRARY): TestProject {
  const hub = makeBareHub(join(root, `${name}.git`));
  const home = join(root, `${name}-home`);
  gitIn('.', ['init', '--quiet', '--initial-branch=main', home]);
  gitIn(home, ['config', 'user.name', 'Person of the project']);
  gitIn(home, ['config', 'user.email', 'person@project.example.org']);
  gitIn(home, ['remote', 'add', 'origin', hub]);
  const git = (...args: readonly string[]): string => gitIn(hub, args);
  const project: TestProject = {
    hub, home, git,
    refs: () => refsOf(hub),
    file(path, branch = 'main') {
      try {
        return gitIn(hub, ['cat-file', 'blob', `${branch}:${path}`]);
      } catch {
        return null;
      }
    },
    push(changes) {
      if (refsOf(hub).has('refs/heads/main')) {
        gitIn(home, ['fetch', '--quiet', 'origin', 'main']);
        gitIn(home, ['reset', '--quiet', '--hard', 'FETCH_HEAD']);
      }
      for (const [path, text] of Object.entries(changes)) {
        mkdirSync(dirname(join(home, path)), { recursive: true });
        if (text === null) gitIn(home, ['rm', '--quiet', '--', path]);
        else writeFileSync(join(home, path), text);
      }
      gitIn(home, ['add', '--all']);
      gitIn(home, ['commit', '--quiet', '-m', 'by hand']);
      gitIn(home, ['push', '--quiet', 'origin', 'HEAD:refs/heads/main']);
      return gitIn(home, ['rev-parse', 'HEAD']);
    },
    landings: (task, branch = 'main') => git('log', '--reverse', '--first-parent', '--format=%H', `--grep=^Task: [^/]*/${task}$`, branch).split('\n').filter((line) => line !== ''),
    guests(task) {
      const ref = [...refsOf(hub).keys()].find((candidate) => candidate.startsWith('refs/cambium/guests/') && candidate.endsWith(`/${task}`));
      if (ref === undefined) return [];
      const commits = git('rev-list', '--first-parent', '--reverse', ref).split('\n');
      return commits.flatMap((oid) => {
        try {
          const { kind, epoch } = JSON.parse(git('cat-file', 'blob', `${oid}:guest.json`)) as { kind: string; epoch: number };
          return [`${kind} ${epoch}`];
        } catch {
          // The commit that landed is no transition.
          return [];
        }
      });
    },
  };
  project.push(files);
  return project;
}

