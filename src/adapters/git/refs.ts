/**
 * Refs of the local repository. Moves go through one long-lived `git update-ref --stdin`, whose transactions hold on
 * every ref storage git has; it ends at the first transaction that fails and is then started anew.
 */
import { randomBytes } from 'node:crypto';
import { unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CambiumError } from '../../errors.ts';
import type { Oid } from '../../model/ids.ts';
import { LOCAL_PREFIX } from '../../model/layout.ts';
import { checkRefName, checkRefUpdates } from '../refNames.ts';
import { errnoOf, syncFolder } from '../system/durable.ts';
import { startHelper } from './helper.ts';
import type { Helper } from './helper.ts';
import { openRefFiles } from './refFiles.ts';
import type { Repository } from './repository.ts';
import { git } from './run.ts';

export interface RefMove {
  readonly ref: string;
  /** Undefined: whatever is there. Null: nothing is there. */
  readonly expect?: Oid | null;
  readonly to: Oid | null;
}

export interface Refs {
  read(ref: string): Promise<Oid | null>;
  list(prefix: string): Promise<ReadonlyMap<string, Oid>>;
  /** All or none; false when any `expect` does not hold. `reason` goes to the reflogs of branches. */
  update(moves: readonly RefMove[], reason: string): Promise<boolean>;
  close(): Promise<void>;
}

/** Another process holds a ref's lock for milliseconds; longer than this, it left the lock behind. */
const LOCK_PATIENCE_MS = 1_000;
const TRIES_MAX = 3;
/** Git keeps reflogs of these only; for all others the process need not be started again for another reason. */
const LOGGED = /^refs\/(?:heads|remotes|notes)\//;

export function openRefs(repository: Repository): Refs {
  const files = repository.refsAreFiles ? openRefFiles(repository) : null;
  const transactions = openTransactions(repository);
  let last: Promise<unknown> = Promise.resolve();

  async function read(ref: string): Promise<Oid | null> {
    checkRefName(ref);
    return files === null ? ((await list(repository, ref)).get(ref) ?? null) : files.read(ref);
  }

  /** Asked before git is: a lost race then costs two file reads, not the process. */
  async function expected(moves: readonly RefMove[]): Promise<boolean> {
    const holds = await Promise.all(moves.map(async ({ ref, expect }) => expect === undefined || (await read(ref)) === expect));
    return !holds.includes(false);
  }

  async function update(moves: readonly RefMove[], reason: string): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      if (!(await expected(moves))) return false;
      const outcome = await transactions.run(moves, reason);
      if (outcome.kind === 'committed') return true;
      if (outcome.kind === 'broken') return finish(moves, reason);
      // Only the refs tell who won; git's text does not (PROTOCOL P2.4).
      if (!(await expected(moves))) return false;
      if (tries === TRIES_MAX || !outcome.again) throw await refusal(repository, outcome.said);
    }
  }

  /** Git was ended between taking every lock, when every `expect` held, and its last word: what it began is completed. */
  async function finish(moves: readonly RefMove[], reason: string): Promise<boolean> {
    const now = await Promise.all(moves.map(async (move) => ({ move, value: await read(move.ref) })));
    const left = now.filter(({ move, value }) => value !== move.to).map(({ move }) => move);
    if (left.length === 0) return true;
    const outcome = (await expected(left)) ? await transactions.run(left, reason) : null;
    if (outcome?.kind === 'committed') return true;
    throw new CambiumError('git-failed', `git was ended in the middle of moving ${left.map(({ ref }) => ref).join(', ')}.`, {
      hint: 'Run `git fsck`, and look for `*.lock` files below refs/ that no git process owns.', data: { refs: left.map(({ ref }) => ref) },
    });
  }

  async function durable(moves: readonly RefMove[]): Promise<void> {
    if (files !== null) await syncAll(new Set(moves.flatMap(({ ref }) => files.folders(ref))));
  }

  return {
    read,
    // Our own few refs are read as files; a fleet's thousands by one process.
    list: (prefix) => (files !== null && prefix.startsWith(LOCAL_PREFIX) && prefix.endsWith('/') ? files.list(prefix) : list(repository, prefix)),
    async update(moves, reason) {
      checkRefUpdates(moves);
      if (moves.length === 0) return true;
      const turn = last.then(() => update(moves, reason));
      last = turn.catch(() => undefined);
      const done = await turn;
      if (done) await durable(moves);
      return done;
    },
    async close() {
      await last;
      await transactions.close();
    },
  };
}

/** Git flushes the file of a ref, not the folder it is renamed into. Folders that git removed meanwhile need none. */
async function syncAll(folders: ReadonlySet<string>): Promise<void> {
  await Promise.all([...folders].map((folder) => syncFolder(folder).catch((cause: unknown) => {
    if (errnoOf(cause) !== 'ENOENT') throw new CambiumError('git-failed', `${folder} could not be flushed: ${(cause as Error).message}`, { cause });
  })));
}

async function list(repository: Repository, prefix: string): Promise<Map<string, Oid>> {
  // Git matches whole path components only; the rest of the prefix is compared here.
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  const exact = folder === prefix ? [] : [prefix];
  const { stdout, stderr } = await git(['for-each-ref', '--format=%(objectname) %(refname)', ...exact, folder || 'refs/'], repository.options);
  const broken = /ignoring broken ref (\S+)/.exec(stderr)?.[1];
  if (broken?.startsWith(prefix) === true) {
    throw new CambiumError('git-failed', `The ref ${broken} is damaged.`, { hint: 'Look at the hub for its value, then set it with `git update-ref`.', data: { ref: broken } });
  }
  const refs = stdout.toString('utf8').split('\n').filter((line) => line !== '').map((line): [string, Oid] => {
    const space = line.indexOf(' ');
    return [line.slice(space + 1), line.slice(0, space)];
  });
  return new Map(refs.filter(([ref]) => ref.startsWith(prefix)));
}

type Outcome =
  | { readonly kind: 'committed' }
  /** Nothing moved. `again`: a lock was held by someone else. */
  | { readonly kind: 'failed'; readonly said: string; readonly again: boolean }
  /** All locks were taken, and git ended before it said that it had committed. */
  | { readonly kind: 'broken' };

interface Session {
  readonly helper: Helper;
  readonly reason: string;
  heard: string;
  settle: ((outcome: Outcome) => void) | null;
}

interface Transactions {
  /** One at a time. */
  run(moves: readonly RefMove[], reason: string): Promise<Outcome>;
  close(): Promise<void>;
}

function openTransactions(repository: Repository): Transactions {
  let current: Session | null = null;

  function start(reason: string): Session {
    const helper = startHelper(
      ['-c', `core.filesRefLockTimeout=${LOCK_PATIENCE_MS}`, '-c', `core.packedRefsTimeout=${LOCK_PATIENCE_MS}`,
        'update-ref', ...(reason === '' ? [] : ['-m', reason]), '--stdin'],
      repository.options,
      {
        data(chunk) {
          session.heard += chunk.toString('latin1');
          if (session.heard.endsWith('commit: ok\n')) settle(session, { kind: 'committed' });
        },
        ended(said, cause) {
          if (current === session) current = null;
          settle(session, endOf(session.heard, cause === undefined ? said : cause.message));
        },
      },
    );
    const session: Session = { helper, reason, heard: '', settle: null };
    return session;
  }

  async function sessionFor(moves: readonly RefMove[], reason: string): Promise<Session> {
    const isLogged = moves.some(({ ref }) => LOGGED.test(ref));
    if (current !== null && isLogged && current.reason !== reason) await close();
    current ??= start(reason);
    return current;
  }

  async function close(): Promise<void> {
    const ending = current;
    current = null;
    await ending?.helper.end();
  }

  return {
    close,
    async run(moves, reason) {
      const session = await sessionFor(moves, reason);
      return new Promise((resolve) => {
        session.settle = resolve;
        session.heard = '';
        session.helper.busy(true);
        session.helper.write(`start\n${moves.map((move) => command(move, repository)).join('')}prepare\ncommit\n`);
      });
    },
  };
}

function settle(session: Session, outcome: Outcome): void {
  session.helper.busy(false);
  session.settle?.(outcome);
  session.settle = null;
}

/** The zero oid says "nothing there"; a missing old value says "whatever is there". */
function command({ ref, expect, to }: RefMove, { format }: Repository): string {
  const zero = '0'.repeat(format === 'sha1' ? 40 : 64);
  const old = expect === undefined ? '' : ` ${expect ?? zero}`;
  if (to !== null) return `update ${ref} ${to}${old}\n`;
  return expect === null ? `verify ${ref} ${zero}\n` : `delete ${ref}${old}\n`;
}

function endOf(heard: string, said: string): Outcome {
  if (heard.includes('prepare: ok')) return { kind: 'broken' };
  return { kind: 'failed', said, again: said === '' || /Unable to create '.*\.lock': File exists/.test(said) };
}

async function refusal(repository: Repository, said: string): Promise<CambiumError> {
  const line = said.trim().split('\n')[0] || 'git update-ref was ended';
  const data = { stderr: said };
  if (/No space left on device|Disk quota exceeded/.test(said) || (/(?:couldn't|could not|unable to|failed to) write/i.test(said) && (await isDiskFull(repository)))) {
    return new CambiumError('disk-full', 'Refs could not be written: the disk is full.', { hint: 'Free some space; the node goes on by itself.', data });
  }
  if (/nonexistent object|missing object/.test(said)) return new CambiumError('object-missing', `Refs could not be moved: ${line}`, { data });
  const lock = /Unable to create '(.*\.lock)': File exists/.exec(said)?.[1];
  return new CambiumError('git-failed', `Refs could not be moved: ${line}`, {
    ...(lock === undefined ? {} : { hint: `If no git process is running in this repository, remove ${lock}.` }),
    data: lock === undefined ? data : { ...data, lock },
  });
}

/** What git gave back when it failed, one block a lock, must not make the disk look roomy. */
const PROBE_BYTES = 256 * 1_024;

/** Git says that it could not write a lock file, but not why: a write of our own is told. */
async function isDiskFull({ objectsDir }: Repository): Promise<boolean> {
  const path = join(objectsDir, `tmp_obj_${randomBytes(9).toString('hex')}`);
  try {
    await writeFile(path, Buffer.alloc(PROBE_BYTES), { flag: 'wx' });
    return false;
  } catch (cause) {
    return errnoOf(cause) === 'ENOSPC' || errnoOf(cause) === 'EDQUOT';
  } finally {
    await unlink(path).catch(() => undefined);
  }
}
