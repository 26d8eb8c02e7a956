/** A workspace with its embedded hub, opened in this process as a program of its user's would. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openWorkspace } from '../../src/index.ts';
import type { CambiumError, Workspace, WorkspaceOptions } from '../../src/index.ts';
import { gitIn, makeClone, tempDir } from './repo.ts';

export interface TestWorkspace {
  readonly root: string;
  open(options?: Omit<WorkspaceOptions, 'dir'>): Promise<Workspace>;
  /** Writes files into the checkout, as a person does; nothing is committed. */
  write(files: Readonly<Record<string, string>>): void;
  /** Commits files on the branch. */
  commit(files: Readonly<Record<string, string>>): void;
  /** A file of the hub's main; null where there is none. */
  onMain(path: string): string | null;
  log(): readonly string[];
  remove(): Promise<void>;
}

export const CONFIG = 'schema: cambium.fleet/1\nagents:\n  worker-1: { role: worker }\n  rita: { role: reviewer }\n';

export async function makeWorkspace(files: Readonly<Record<string, string>> = {}): Promise<TestWorkspace> {
  const temp = tempDir('workspace');
  const root = makeClone(join(temp.path, 'clone'), join(temp.path, 'nowhere'));
  gitIn(root, ['remote', 'remove', 'origin']);
  const opened: Workspace[] = [];
  const write = (given: Readonly<Record<string, string>>): void => {
    for (const [path, text] of Object.entries(given)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  };
  const commit = (given: Readonly<Record<string, string>>): void => {
    write(given);
    gitIn(root, ['add', '--all']);
    gitIn(root, ['commit', '--quiet', '-m', 'by hand']);
  };
  commit({ '.gitignore': '.cambium/\n', 'cambium.yaml': CONFIG, 'tasks/README.md': '# Tasks\n', ...files });
  const hub = (): string => join(root, '.git', 'cambium', 'hub.git');
  return {
    root, write, commit,
    async open(options = {}) {
      const workspace = await openWorkspace({ dir: root, node: 'vm', ...options });
      opened.push(workspace);
      return workspace;
    },
    onMain(path) {
      try {
        return gitIn(hub(), ['cat-file', 'blob', `main:${path}`]);
      } catch {
        return null;
      }
    },
    log: () => gitIn(hub(), ['log', '--format=%an: %s', 'main']).split('\n'),
    async remove() {
      for (const workspace of opened) await workspace.close();
      rmSync(temp.path, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The error that a promise rejects with; fails when it resolves. */
export async function errorOf(promise: Promise<unknown>): Promise<CambiumError> {
  return promise.then(() => { throw new Error('it was not refused'); }, (error: CambiumError) => error);
}

