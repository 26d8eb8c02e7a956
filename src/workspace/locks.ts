/** Named locks and path reservations by hand. Advisory: they are told to whoever asks, and keep nobody from anything but themselves. */
import { giveBackMember, lockKey, reserveMember, takeMember, unreserveMember } from '../act/locks.ts';
import type { LockAsk } from '../act/locks.ts';
import { publish } from '../act/publish.ts';
import type { Member, Published } from '../act/publish.ts';
import { variable } from '../adapters/system/environment.ts';
import { CambiumError } from '../errors.ts';
import { PATHS_LOCK, holdOf, isLockName, isSameParty, lapsesInMs, leasesOf, rivals, watchLocks } from '../model/lock.ts';
import type { Lease, LockChain, LockRecord, LockWatch, Party } from '../model/lock.ts';
import { proposeId } from '../model/ids.ts';
import { isPathGlob, lockTips, readLock } from '../observe/lockRecord.ts';
import { published } from './published.ts';
import { actor, agentOf } from './session.ts';
import type { Session } from './session.ts';

export const LOCK_WATCH = 'locks';
export const LOCK_TTL_MS = 600_000;
const TTL_MIN_MS = 1_000;
const TTL_MAX_MS = 7 * 86_400_000;
const GLOBS_MAX = 100;

export interface LockOptions {
  readonly agent?: string | undefined;
  readonly ttlMs?: number | undefined;
  readonly why?: string | undefined;
  /** A person takes, or ends, what somebody else holds. */
  readonly force?: boolean | undefined;
}

/** Takes a lock, or renews one's own. Throws `refused` while somebody else holds it, `usage`. */
export async function takeLock(session: Session, name: string, options: LockOptions = {}): Promise<LockRecord> {
  if (!isLockName(name)) throw new CambiumError('usage', `${name} is no good name for a lock.`, { hint: `Use lower-case letters, digits, - and _; landing, paths and list are taken: ${proposeId(name)}` });
  const seen = await lookAtLocks(session);
  const ask = await askOf(session, seen, options);
  const end = (await publish(session.node, [takeMember(session.node, name, ask)], { trustKnown: true })).get(lockKey(name)) as Published<LockRecord>;
  if (end.state !== 'dropped') return published(name, end);
  const now = await lookAtLocks(session);
  throw heldByAnother(now, holdOf(now.chains.get(name) ?? null), `The lock ${name} is not free: ${end.drop.detail}.`, `cambium lock ${name}`, session);
}

/** Throws `refused` where it is somebody else's. `released` is false where it was free. */
export async function giveBackLock(session: Session, name: string, options: LockOptions = {}): Promise<{ readonly name: string; readonly released: boolean }> {
  if (!isLockName(name)) throw new CambiumError('usage', `${name} is no good name for a lock.`, { hint: 'See `cambium lock list`.' });
  const end = (await publish(session.node, [giveBackMember(session.node, name, await releaseOf(session, options))], { trustKnown: true })).get(lockKey(name)) as Published<LockRecord>;
  if (end.state === 'dropped' && end.drop.code === 'nothing') return { name, released: false };
  if (end.state === 'dropped') throw new CambiumError('refused', `The lock ${name} is not yours: ${end.drop.detail}.`, { hint: `A person ends it all the same: \`cambium unlock ${name} --force --why "…"\`.` });
  published(name, end);
  return { name, released: true };
}

/** Reserves paths of the tree. Throws `refused` while others have reserved any of them, `usage`. */
export async function reservePaths(session: Session, globs: readonly string[], options: LockOptions = {}): Promise<LockRecord> {
  requireGlobs(globs);
  const seen = await lookAtLocks(session);
  const ask = await askOf(session, seen, options);
  const end = (await publish(session.node, [reserveMember(session.node, globs, ask)], { trustKnown: true })).get(lockKey(PATHS_LOCK)) as Published<LockRecord>;
  if (end.state !== 'dropped') return published('the reservation', end);
  const now = await lookAtLocks(session);
  const last = rivals(now.chains.get(PATHS_LOCK)?.record.reservations ?? [], ask.party, globs).toSorted((a, b) => lapses(now, b) - lapses(now, a))[0] ?? null;
  throw heldByAnother(now, last, `These paths are not free: ${end.drop.detail}.`, `cambium reserve ${globs.join(' ')}`, session);
}

/** Gives back these globs, or all that the party has reserved. */
export async function unreservePaths(session: Session, globs: readonly string[], options: LockOptions = {}): Promise<{ readonly released: boolean }> {
  const member = unreserveMember(session.node, globs.length === 0 ? null : globs, await releaseOf(session, options));
  const end = (await publish(session.node, [member], { trustKnown: true })).get(lockKey(PATHS_LOCK)) as Published<LockRecord>;
  if (end.state === 'dropped') return { released: false };
  published('the reservation', end);
  return { released: true };
}

/** Gives back all that the party holds; with `spawn` only what that spawn took. One push. */
export async function giveBackAll(session: Session, options: LockOptions & { readonly spawn?: string | undefined } = {}): Promise<readonly string[]> {
  const { node } = session;
  const { chains } = await lookAtLocks(session);
  const ask = await releaseOf(session, options);
  const isMine = (lease: Lease): boolean => isSameParty(lease, ask.party) && (options.spawn === undefined || lease.spawn === options.spawn);
  const members: Member<LockRecord>[] = [...chains].flatMap(([name, chain]) => {
    if (name === PATHS_LOCK) return (chain.record.reservations ?? []).some(isMine) ? [unreserveMember(node, null, { ...ask, spawn: options.spawn })] : [];
    const hold = holdOf(chain);
    return hold !== null && isMine(hold) ? [giveBackMember(node, name, ask)] : [];
  });
  const ends = await publish(node, members, { trustKnown: true });
  return [...ends].filter(([, end]) => end.state === 'published').map(([key]) => key.slice('lock:'.length)).toSorted();
}

/** One hold, as `lock list` tells it. */
export interface LockStatus extends Lease {
  /** `paths` for a reservation. */
  readonly name: string;
  readonly epoch: number;
  /** Empty for a named lock. */
  readonly globs: readonly string[];
  /** Seconds until this clone may take it, unless it is renewed; 0 when it has lapsed. */
  readonly lapses_in_s: number;
}

/** What is held, by name. */
export async function listLocks(session: Session): Promise<readonly LockStatus[]> {
  const seen = await lookAtLocks(session);
  const status = (name: string, epoch: number, lease: Lease & { readonly globs?: readonly string[] }): LockStatus => {
    const { holder, node, op, ttl_s, why, at, spawn, globs = [] } = lease;
    return { name, epoch, holder, node, why, globs, ttl_s, lapses_in_s: Math.max(0, Math.ceil(lapses(seen, lease) / 1_000)), op, at, ...(spawn === undefined ? {} : { spawn }) };
  };
  return [...seen.chains].toSorted(([a], [b]) => (a < b ? -1 : 1)).flatMap(([name, chain]) => {
    if (name === PATHS_LOCK) return (chain.record.reservations ?? []).map((one) => status(name, chain.record.epoch, one));
    const hold = holdOf(chain);
    return hold === null ? [] : [status(name, chain.record.epoch, hold)];
  });
}

interface Seen {
  readonly chains: ReadonlyMap<string, LockChain>;
  readonly watch: LockWatch;
  readonly clock: { readonly boot: string; readonly bootMs: number; readonly fetchMs: number };
}

/** Reads what is held, and notes since when this clone has seen each hold: a command line has not watched, its clone has. */
export async function lookAtLocks({ clone, node, fleet }: Session): Promise<Seen> {
  const chains = new Map<string, LockChain>();
  for (const [name, tip] of lockTips(clone.mirror.known().refs)) {
    const chain = await readLock(clone.store, tip);
    if (chain !== null) chains.set(name, chain);
  }
  const before = ((await clone.local.read(LOCK_WATCH)) as LockWatch | undefined) ?? null;
  const clock = { boot: node.identity.bootId, bootMs: clone.clock.bootMs(), fetchMs: fleet.config.timings.fetchMs };
  const watch = watchLocks(before, leasesOf(chains.values()), clock.boot, clock.bootMs);
  if (JSON.stringify(watch) !== JSON.stringify(before)) await clone.local.write(LOCK_WATCH, watch);
  return { chains, watch, clock };
}

const lapses = ({ watch, clock }: Pick<Seen, 'watch' | 'clock'>, lease: Lease): number => lapsesInMs(lease, watch, clock);

async function partyOf(session: Session, asked: string | undefined): Promise<{ readonly party: Party; readonly by: LockAsk['by'] }> {
  const agent = asked === undefined && session.agent === undefined ? undefined : agentOf(session, asked);
  const by = await actor({ ...session, agent });
  return { party: { holder: agent === undefined ? `human:${proposeId(by.name)}` : `agent:${agent}`, node: session.node.identity.node }, by };
}

async function askOf(session: Session, seen: Seen, { agent, ttlMs = LOCK_TTL_MS, why = '', force }: LockOptions): Promise<LockAsk> {
  if (ttlMs < TTL_MIN_MS || ttlMs > TTL_MAX_MS) throw new CambiumError('usage', 'A lock is held for at least 1 s and at most 168 h at a time.', { hint: 'Write `--ttl 10m`; the same command renews it.' });
  return {
    ...(await partyOf(session, agent)), why: oneLine(why), ttlS: ttlMs / 1_000, spawn: variable('CAMBIUM_SPAWN'),
    isLapsed: (lease) => lapses({ ...seen, clock: { ...seen.clock, bootMs: session.clone.clock.bootMs() } }, lease) <= 0,
    ...(force === true ? { force: requirePerson(session, agent, why) } : {}),
  };
}

async function releaseOf(session: Session, { agent, why = '', force }: LockOptions): Promise<{ readonly party: Party; readonly by: LockAsk['by']; readonly force?: string }> {
  return { ...(await partyOf(session, agent)), ...(force === true ? { force: requirePerson(session, agent, why) } : {}) };
}

/** The reason that goes on record. */
function requirePerson(session: Session, agent: string | undefined, why: string): string {
  if ((agent ?? session.agent) !== undefined) throw new CambiumError('refused', 'Only a person takes a lock from somebody.', { hint: 'Wait until it lapses, or ask a person: `cambium message send "@human …"`.' });
  if (why.trim() === '') throw new CambiumError('usage', 'Why? It goes on record with your name.', { hint: 'Add `--why "its agent is gone"`.' });
  return oneLine(why);
}

const oneLine = (text: string): string => text.replace(/[\p{Cc}\s]+/gu, ' ').trim().slice(0, 500);

function requireGlobs(globs: readonly string[]): void {
  const bad = globs.find((glob) => !isPathGlob(glob));
  if (bad !== undefined) throw new CambiumError('usage', `${bad} is no glob over paths of the tree.`, { hint: 'Write it relative to the top of the workspace and in quotes: `cambium reserve "src/api/**"`.' });
  if (globs.length === 0 || globs.length > GLOBS_MAX) throw new CambiumError('usage', `One to ${GLOBS_MAX} globs are reserved at a time.`);
}

function heldByAnother(seen: Seen, lease: Lease | null, message: string, command: string, { agent }: Session): CambiumError {
  const seconds = lease === null ? 0 : Math.max(1, Math.ceil(lapses(seen, lease) / 1_000));
  const wait = lease === null ? 'It moved meanwhile: try again.' : `Unless it is renewed, this clone may take it in ${seconds} s: the same command then.`;
  const person = agent === undefined ? ` At once, on record: \`${command} --force --why "…"\`.` : '';
  return new CambiumError('refused', message, { hint: `${wait}${person}`, data: { lapses_in_s: seconds, ...(lease === null ? {} : { holder: lease.holder, node: lease.node }) } });
}

