/** Stopping and pausing: the fleet, an agent, a provider, a project; every node heeds it within a cycle. */
import { publish } from '../act/publish.ts';
import { stopMember } from '../act/stop.ts';
import type { StopRequest } from '../act/stop.ts';
import { CambiumError } from '../errors.ts';
import { CLIENTS } from '../model/config.ts';
import { isAgentId } from '../model/ids.ts';
import { PAUSABLE } from '../model/stop.ts';
import type { Pausable, StopMode, StopRecord, Wish } from '../model/stop.ts';
import { isInForce } from '../orient/providers.ts';
import { stopped, wentOn, withPause, withoutPause } from '../orient/wishes.ts';
import { actor } from './session.ts';
import type { Session } from './session.ts';

export interface Wished {
  /** False: it was so already. */
  readonly changed: boolean;
  /** Everything that is stopped or paused now. */
  readonly stop: StopRecord;
}

/** Nothing is claimed or started any more; `freeze` holds running agents still, `drain` lets them finish and land. Agents may not ask for it. */
export async function stopFleet(session: Session, mode: StopMode, why: string | null): Promise<Wished> {
  const wish = await wishOf(session, why);
  return carryOut(session, `fleet: ${mode === 'freeze' ? 'freeze' : 'stop'}${why === null ? '' : `: ${why}`}`, (stop) => stopped(stop, mode, wish));
}

export async function resumeFleet(session: Session): Promise<Wished> {
  await wishOf(session, null);
  return carryOut(session, 'fleet: resume', wentOn);
}

/** Running agents finish; no new ones are started for it. Throws `usage` for a name that the fleet does not know. */
export async function pause(session: Session, kind: Pausable, name: string, why: string | null): Promise<Wished> {
  requireKnown(session, kind, name);
  const wish = await wishOf(session, why);
  return carryOut(session, `${kind} ${name}: pause${why === null ? '' : `: ${why}`}`, (stop) => withPause(stop, kind, name, wish));
}

/** Also ends what nodes have parked a provider for: its login, its rate limit. */
export async function resume(session: Session, kind: Pausable, name: string): Promise<Wished> {
  const wish = await wishOf(session, null);
  const { stop: now, parks, config } = session.fleet;
  const parked = kind === 'provider' && parks.some((park) => park.provider === name && isInForce(park, { stop: now, config, now: session.clone.clock.now().toISOString() }));
  return carryOut(session, `${kind} ${name}: resume`, (stop, op) => withoutPause(stop, kind, name, { wish, op, parked }));
}

export function asPausable(kind: string): Pausable {
  const known = PAUSABLE.find((candidate) => candidate === kind);
  if (known !== undefined) return known;
  throw new CambiumError('usage', `${kind} cannot be paused.`, { hint: 'Write agent, provider or project and its name; the whole fleet is stopped with `cambium stop --fleet`.' });
}

function requireKnown({ fleet }: Session, kind: Pausable, name: string): void {
  const { agents, providers, projects } = fleet.config;
  const used = Object.values(agents).flatMap(({ provider, fallback }) => [provider, ...fallback]);
  const known = kind === 'agent' ? Object.keys(agents) : kind === 'project' ? Object.keys(projects) : [...new Set(['runbook', ...CLIENTS, ...Object.keys(providers), ...used, fleet.config.defaults.provider])];
  // An agent that was asked for by name on some node stands in no file.
  if (known.includes(name) || (kind === 'agent' && isAgentId(name) && [...fleet.chains.values()].some(({ record }) => record.agent === name))) return;
  throw new CambiumError('usage', `The fleet knows no ${kind} ${name}.`, { hint: known.length === 0 ? `cambium.yaml names no ${kind}.` : `It knows ${known.toSorted().join(', ')}.` });
}

/** A fleet's brakes are people's: an agent that is told to stop everything, or to go on, by what it reads must not be able to. */
async function wishOf(session: Session, why: string | null): Promise<Wish> {
  if (session.agent !== undefined) throw new CambiumError('refused', 'Agents may not stop, pause or resume anything.', { hint: 'Ask a person: mention @human in a channel.' });
  const { name } = await actor(session);
  return { by: `human:${name.replace(/\s+/gu, ' ').trim() || 'somebody'}`, why: why === null ? null : why.replace(/\s+/gu, ' ').trim().slice(0, 300) || null, at: session.clone.clock.now().toISOString() };
}

async function carryOut(session: Session, subject: string, change: StopRequest['change']): Promise<Wished> {
  const ends = await publish(session.node, [stopMember(session.node, { change, subject, author: await actor(session) })]);
  const end = [...ends.values()][0];
  if (end?.state === 'published') return { changed: end.value.op !== session.fleet.stop.op, stop: end.value };
  if (end?.state === 'unknown') throw new CambiumError('outcome-unknown', `The hub has not answered: ${end.detail}`, { hint: 'Look with `cambium status`, and try again.' });
  throw new CambiumError('refused', `The hub refuses it: ${end?.state === 'refused-by-policy' ? end.detail : (end?.drop.detail ?? '?')}`, { hint: 'See who may push to refs/cambium/ on the hub.' });
}
