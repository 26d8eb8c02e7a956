/** `cambium lock|unlock|reserve|unreserve`. */
import { CambiumError } from '../errors.ts';
import { giveBackAll, giveBackLock, listLocks, reservePaths, takeLock, unreservePaths } from '../workspace/locks.ts';
import type { LockOptions } from '../workspace/locks.ts';
import { plain } from '../workspace/plain.ts';
import { withSession } from '../workspace/session.ts';
import { table } from './output.ts';
import type { Answer } from './output.ts';

export interface LockFlags {
  readonly agent?: string | undefined;
  readonly node?: string | undefined;
  /** Milliseconds. */
  readonly ttl?: number | undefined;
  readonly why?: string | undefined;
  readonly force?: boolean | undefined;
  readonly all?: boolean | undefined;
}

const optionsOf = ({ agent, ttl, why, force }: LockFlags): LockOptions => ({ agent, ttlMs: ttl, why, force });
const ADVISORY = 'Advisory: it keeps out whoever asks, and nobody else.';

export function lockCommand(name: string, flags: LockFlags): Promise<Answer> {
  return withSession({ node: flags.node, needsHub: true }, async (session) => {
    const data = await takeLock(session, name, optionsOf(flags));
    const taken = data.kind === 'renew' ? 'is renewed' : 'is yours';
    return { data, text: [`The lock ${name} ${taken} for ${data.ttl_s} s (epoch ${data.epoch}). ${ADVISORY}`, ...(data.reason === undefined ? [] : [`On record: ${plain(data.reason)}`]), `Renew it with the same command; give it back with \`cambium unlock ${name}\`.`].join('\n') };
  });
}

export function unlockCommand(name: string | undefined, flags: LockFlags): Promise<Answer> {
  if ((name === undefined) !== (flags.all === true)) throw new CambiumError('usage', name === undefined ? 'Which lock?' : 'One lock, or all of them?', { hint: 'Write `cambium unlock <name>`, or `cambium unlock --all` for all that you hold, reservations too.' });
  return withSession({ node: flags.node, needsHub: true }, async (session) => {
    if (name === undefined) {
      const released = await giveBackAll(session, optionsOf(flags));
      return { data: { released }, text: released.length === 0 ? 'You held none.' : `Given back: ${released.join(', ')}.` };
    }
    const data = await giveBackLock(session, name, optionsOf(flags));
    return { data, text: data.released ? `The lock ${name} is free.` : `The lock ${name} was free already.` };
  });
}

export function reserveCommand(globs: readonly string[], flags: LockFlags): Promise<Answer> {
  return withSession({ node: flags.node, needsHub: true }, async (session) => {
    const data = await reservePaths(session, globs, optionsOf(flags));
    const ttl = data.reservations?.at(-1)?.ttl_s ?? 0;
    return { data, text: [`Reserved for ${ttl} s: ${globs.join(', ')}. ${ADVISORY}`, ...(data.reason === undefined ? [] : [`On record: ${plain(data.reason)}`]), 'Renew it with the same command; give it back with `cambium unreserve`.'].join('\n') };
  });
}

export function unreserveCommand(globs: readonly string[], flags: LockFlags): Promise<Answer> {
  return withSession({ node: flags.node, needsHub: true }, async (session) => {
    const data = await unreservePaths(session, globs, optionsOf(flags));
    return { data, text: data.released ? 'Given back.' : 'You had reserved nothing of the kind.' };
  });
}

export function lockListCommand(): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const locks = await listLocks(session);
    const rows = locks.map(({ name, globs, holder, node, lapses_in_s: left, why }) => [name, plain(globs.join(' ')), plain(holder), node, left === 0 ? 'has lapsed' : `${left} s`, plain(why)]);
    return { data: { locks }, text: rows.length === 0 ? 'Nothing is locked or reserved.' : `${table([['lock', 'paths', 'holder', 'node', 'lapses in', 'why'], ...rows])}\n${ADVISORY}` };
  });
}
