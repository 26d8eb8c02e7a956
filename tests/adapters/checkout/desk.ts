/** A person's desk for the checkout tests: a real repository with a work tree, its checkout port, and the hub's commits. */
import { lstatSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openCheckout } from '../../../src/adapters/checkout/checkout.ts';
import { openGitStore } from '../../../src/adapters/git/store.ts';
import { createSystemClock } from '../../../src/adapters/system/clock.ts';
import type { FileMode } from '../../../src/model/git.ts';
import type { Oid } from '../../../src/model/ids.ts';
import type { Checkout, CheckoutEdits } from '../../../src/ports/checkout.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { Store } from '../../../src/ports/store.ts';
import { gitIn, tempDir } from '../../support/repo.ts';

/** A file of a commit: text, or text with a mode; null removes it. */
export type Content = string | { readonly mode: FileMode; readonly text: string } | null;
export type Files = Readonly<Record<string, Content>>;

export const HALF_SAVED_MS = 2000;
export const SETTLE_MS = 100;

export interface Desk {
  readonly root: string;
  readonly gitDir: string;
  readonly store: Store;
  readonly checkout: Checkout;
  git(...args: readonly string[]): string;
  write(path: string, text: string): void;
  /** The text at the path; null when nothing stands there. */
  read(path: string): string | null;
  /** Commits in the work tree as a person does. */
  commit(files: Files, message?: string): Oid;
  /** A commit on top of `parent` (default HEAD) that only the object store knows, as one that was fetched. */
  landed(files: Files, parent?: Oid): Promise<Oid>;
  tree(commit?: string): Oid;
  /** `git status --porcelain`, untracked files included. */
  status(): string;
  /** Advances from HEAD to the target; `synced` is HEAD's tree unless given. */
  advance(target: Oid, synced?: Oid): ReturnType<Checkout['advance']>;
  /** Looks twice, far enough apart for everything to have come to rest. */
  edits(synced?: Oid, full?: boolean): Promise<CheckoutEdits>;
  passTime(ms: number): void;
  /** Another port over the same checkout, as a restarted daemon has. */
  reopen(): Checkout;
  close(): Promise<void>;
}

/** The system's clock, and a boot clock that a test may put forward. */
export function shiftedClock(): Clock & { pass(ms: number): void } {
  const clock = createSystemClock();
  let aheadMs = 0;
  return { ...clock, bootMs: () => clock.bootMs() + aheadMs, pass: (ms) => void (aheadMs += ms) };
}

export interface DeskOptions {
  readonly root?: string;
  readonly gitDir?: string;
  readonly files?: Files;
  readonly config?: Readonly<Record<string, string>>;
}

export async function openDesk({ files = { 'tasks/one.md': 'one\n', 'src/app.ts': 'app\n' }, config = {} }: DeskOptions = {}): Promise<Desk> {
  const temp = tempDir('desk');
  const root = join(temp.path, 'work');
  gitIn('.', ['init', '--quiet', '--initial-branch=main', root]);
  for (const [key, value] of Object.entries({ 'user.name': 'Maria', 'user.email': 'maria@example.org', ...config })) gitIn(root, ['config', key, value]);
  const desk = await deskAt(root, join(root, '.git'), () => temp.remove());
  desk.commit(files, 'start');
  return desk;
}

export async function deskAt(root: string, gitDir: string, remove: () => void = () => undefined): Promise<Desk> {
  const store = await openGitStore({ gitDir });
  const clock = shiftedClock();
  const commonDir = gitIn(root, ['rev-parse', '--path-format=absolute', '--git-common-dir']);
  const reopen = (): Checkout => openCheckout({ root, gitDir, commonDir, branch: 'main', store, clock, halfSavedMs: HALF_SAVED_MS, settleMs: SETTLE_MS });
  const checkout = reopen();
  const git = (...args: readonly string[]): string => gitIn(root, args);
  const tree = (commit = 'HEAD'): Oid => git('rev-parse', `${commit}^{tree}`);
  const desk: Desk = {
    root, gitDir, store, checkout, git, tree, reopen,
    write: (path, text) => writeText(join(root, path), text),
    read: (path) => readText(join(root, path)),
    commit: (files, message = 'edit') => {
      for (const [path, content] of Object.entries(files)) putFile(join(root, path), content);
      git('add', '-A');
      git('commit', '--quiet', '--allow-empty', '-m', message);
      return git('rev-parse', 'HEAD');
    },
    landed: (files, parent = git('rev-parse', 'HEAD')) => landedCommit(store, files, parent),
    status: () => git('status', '--porcelain', '--untracked-files=all'),
    advance: (target, synced = tree()) => checkout.advance({ head: git('rev-parse', 'HEAD'), target, synced }),
    edits: async (synced = tree(), full = false) => {
      await checkout.edits(synced, full);
      clock.pass(HALF_SAVED_MS);
      return checkout.edits(synced, full);
    },
    passTime: (ms) => clock.pass(ms),
    close: async () => {
      await store.close();
      remove();
    },
  };
  return desk;
}

async function landedCommit(store: Store, files: Files, parent: Oid): Promise<Oid> {
  const edits = await Promise.all(Object.entries(files).map(async ([path, content]) => {
    if (content === null) return [path, null] as const;
    const { mode, text } = typeof content === 'string' ? { mode: '100644' as const, text: content } : content;
    return [path, { mode, oid: mode === '160000' ? text : await store.writeBlob(Buffer.from(text)) }] as const;
  }));
  const { tree } = await store.readCommit(parent);
  const author = { name: 'worker-1', email: 'worker-1@cambium', seconds: 1_795_000_000, zone: '+0000' };
  return store.writeCommit({ tree: await store.editTree(tree, new Map(edits)), parents: [parent], author, committer: author, message: 'landed\n' });
}

function putFile(path: string, content: Content): void {
  if (content === null) rmSync(path);
  else if (typeof content === 'string') writeText(path, content);
  else writeText(path, content.text, content.mode === '100755' ? 0o755 : 0o644);
}

function writeText(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode });
}

function readText(path: string): string | null {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  return stat.isSymbolicLink() ? `-> ${readlinkSync(path)}` : readFileSync(path, 'utf8');
}
