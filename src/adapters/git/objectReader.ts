/**
 * Reads objects through one long-lived `git cat-file --batch-command`. Git looks at its packs again before it says
 * "missing", so what another process fetches meanwhile is found. It does not compare a loose object with its name
 * (a swapped file is served as it is), so every body is hashed here.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CambiumError } from '../../errors.ts';
import type { Oid } from '../../model/ids.ts';
import { batchParser } from './batchAnswers.ts';
import type { BatchAnswer } from './batchAnswers.ts';
import { startHelper } from './helper.ts';
import type { Helper } from './helper.ts';
import { corrupt, hashObject, isOid, missing } from './objects.ts';
import type { ObjectType, RawObject } from './objects.ts';
import type { Repository } from './repository.ts';

export interface ObjectInfo {
  readonly type: ObjectType;
  /** Bytes of the body. */
  readonly size: number;
}

export interface ObjectReader {
  /** Throws `object-missing`, `object-corrupt` or `git-failed`. */
  read(oid: Oid): Promise<RawObject>;
  /** Null when the object is not there or cannot be read; the body is not looked at. */
  info(oid: Oid): Promise<ObjectInfo | null>;
  /** Ends git after what was already asked. */
  close(): Promise<void>;
}

interface Request {
  readonly command: 'contents' | 'info';
  readonly oid: Oid;
  deaths: number;
  resolve(answer: BatchAnswer): void;
  reject(error: CambiumError): void;
}

/** One life of the process, with the requests it still owes an answer to, in order. */
interface Session {
  readonly helper: Helper;
  readonly owed: Request[];
}

/** A request that git died on twice is what kills it. */
const DEATHS_MAX = 2;

export function looseFile(repository: Repository, oid: Oid): string {
  return join(repository.objectsDir, oid.slice(0, 2), oid.slice(2));
}

export function openObjectReader(repository: Repository): ObjectReader {
  const { format } = repository;
  const alive = new Set<Session>();
  let current: Session | null = null;

  function start(): Session {
    const owed: Request[] = [];
    const answer = (answered: BatchAnswer): void => {
      owed.shift()?.resolve(answered);
      if (owed.length === 0) session.helper.busy(false);
    };
    const helper = startHelper(['cat-file', '--batch-command'], repository.options, {
      data: batchParser(() => owed[0]?.command === 'contents', answer),
      ended: (said, cause) => ended(session, said, cause),
    });
    const session: Session = { helper, owed };
    alive.add(session);
    return session;
  }

  function ended(session: Session, said: string, cause: Error | undefined): void {
    alive.delete(session);
    if (current === session) current = null;
    const [head, ...rest] = session.owed.splice(0);
    if (head === undefined) return;
    head.deaths += 1;
    if (cause !== undefined || head.deaths >= DEATHS_MAX) head.reject(deathError(head.oid, said, cause));
    else send(head);
    for (const request of rest) send(request);
  }

  function send(request: Request): void {
    current ??= start();
    current.owed.push(request);
    current.helper.busy(true);
    current.helper.write(`${request.command} ${request.oid}\n`);
  }

  function ask(command: Request['command'], oid: Oid): Promise<BatchAnswer> {
    return new Promise((resolve, reject) => send({ command, oid, deaths: 0, resolve, reject }));
  }

  /** Git also says "missing" of a loose object that is empty or has no readable header. */
  async function readAgain(oid: Oid): Promise<BatchAnswer> {
    const isThere = await stat(looseFile(repository, oid)).then(() => true, () => false);
    if (!isThere) throw missing(oid);
    const answer = await ask('contents', oid);
    if (!answer.found) throw corrupt(oid, 'its file is empty or cut short');
    return answer;
  }

  return {
    async read(oid) {
      if (!isOid(oid, format)) throw missing(oid);
      const first = await ask('contents', oid);
      const answer = first.found ? first : await readAgain(oid);
      if (!answer.found || answer.body === null) {
        throw new CambiumError('git-failed', `Object ${oid} is larger than this process can hold.`, { data: { oid } });
      }
      if (hashObject(format, answer.type, answer.body) !== oid) throw corrupt(oid, 'its content does not fit its name');
      return { type: answer.type, body: answer.body };
    },
    async info(oid) {
      if (!isOid(oid, format)) return null;
      try {
        const answer = await ask('info', oid);
        return answer.found ? { type: answer.type, size: answer.size } : null;
      } catch (error) {
        if (error instanceof CambiumError && error.code === 'object-corrupt') return null;
        throw error;
      }
    },
    async close() {
      const ending = [...alive];
      current = null;
      await Promise.all(ending.map(({ helper }) => helper.end()));
    },
  };
}

const DAMAGE = /corrupt|unable to stream|inflate|does not match|garbage|bad object|truncated|too long|too short|mismatch|unable to (?:unpack|parse)|empty/i;

function deathError(oid: Oid, said: string, cause: Error | undefined): CambiumError {
  if ((cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
    return new CambiumError('git-missing', 'git is not installed or not on PATH.', { hint: 'Install git 2.38 or newer.', cause });
  }
  const lines = said.trim().split('\n').filter((line) => line !== '');
  if (lines.some((line) => DAMAGE.test(line))) return corrupt(oid, lines.at(-1) as string);
  return new CambiumError('git-failed', `git cat-file ended while it was reading ${oid}${lines.length === 0 ? '' : `: ${lines.at(-1)}`}.`, { cause, data: { oid, stderr: said } });
}
