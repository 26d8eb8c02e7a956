/**
 * The janitor (PROTOCOL P9): now and then, when this node has nothing else to say, one bounded step towards few refs and a
 * small `tasks/`. Every node does it; the spread over time keeps them out of each other's way, and a lost race costs nothing.
 */
import { archiveMember } from '../act/archive.ts';
import { collectMember, foldMember, planCollecting } from '../act/collect.ts';
import type { Collecting } from '../act/collect.ts';
import { publish } from '../act/publish.ts';
import type { Member, Published } from '../act/publish.ts';
import { CambiumError } from '../errors.ts';
import { fnv1a } from '../model/hash.ts';
import { CLAIMS_PREFIX } from '../model/layout.ts';
import type { Fleet } from '../model/snapshot.ts';
import { dueForArchive } from '../orient/archivable.ts';
import type { Loop } from './loop.ts';
import { reread } from './observe.ts';

const EVERY_MS = 10 * 60_000;
/** Every push pays for every ref of the hub: past this many the janitor does not wait for its time. */
const CLAIMS_MAX = 1_500;
const ENDED_OVER_MAX = 100;
/** Too much is seen by all nodes at once; one of them mostly tidies. */
const OVER_SPREAD_MS = 20_000;
/** Too much, and yet nothing may go (open dependents, ends that are too young, a hub that refuses): asked again after this. */
const OVER_AGAIN_MS = 60_000;

/** At most one push. Returns true when something moved, so that the next step follows at once. */
export async function tidyUp(loop: Loop): Promise<boolean> {
  const { shop, state } = loop;
  const { fleet } = state;
  const nowMs = shop.node.clock.bootMs();
  state.janitor.nextMs ??= nowMs + (await waitMs(loop));
  if (fleet === null || !isDue(loop, fleet, nowMs)) return false;
  const moved = await step(loop, fleet);
  const over = isOver(fleet, loop);
  if (moved) await reread(loop);
  else {
    state.janitor.nextMs = nowMs + (over ? OVER_AGAIN_MS : EVERY_MS);
    await shop.node.local.write(KEPT, shop.node.clock.now().getTime());
  }
  return moved;
}

/** When it came last, so that a fleet of short `cambium cycle` runs has a janitor too. By wall clock: nothing rests on it. */
const KEPT = 'janitor';

async function waitMs({ shop: { node } }: Loop): Promise<number> {
  const nowMs = node.clock.now().getTime();
  const last = await node.local.read(KEPT);
  if (typeof last === 'number') return Math.min(Math.max(last + EVERY_MS - nowMs, 0), EVERY_MS);
  const spreadMs = fnv1a(`janitor/${node.identity.node}`) % EVERY_MS;
  await node.local.write(KEPT, nowMs + spreadMs - EVERY_MS);
  return spreadMs;
}

function isDue({ shop, state: { janitor } }: Loop, fleet: Fleet, nowMs: number): boolean {
  const { node } = shop.node.identity;
  const nextMs = janitor.nextMs ?? nowMs;
  if (nextMs <= nowMs) return true;
  if (!isOver(fleet, { shop })) janitor.overSinceMs = null;
  else if (janitor.overSinceMs === null) {
    janitor.overSinceMs = nowMs;
    janitor.nextMs = Math.min(nextMs, nowMs + (fnv1a(`over/${node}`) % OVER_SPREAD_MS));
  }
  return false;
}

function isOver({ results, config }: Fleet, { shop }: Pick<Loop, 'shop'>): boolean {
  if (results.size > config.archive.endedMax + ENDED_OVER_MAX) return true;
  const { refs } = shop.node.mirror.known();
  return refs.size > CLAIMS_MAX && [...refs.keys()].filter((ref) => ref.startsWith(CLAIMS_PREFIX)).length > CLAIMS_MAX;
}

async function step(loop: Loop, fleet: Fleet): Promise<boolean> {
  const { shop: { node, reader }, fleets, state } = loop;
  const collecting: Collecting = { nowMs: node.clock.now().getTime(), lifeMs: state.janitor.lifeMs };
  try {
    const planned = await planCollecting(node, reader, { main: fleet.main.commit, view: node.mirror.known() }, collecting);
    // Only what a listing of its own has shown to be folded is deleted.
    if (planned.collect.length > 0) return await publishOne(loop, fleet, collectMember(node, reader, collecting), 'collected', false);
    if (planned.fold.length > 0) return await publishOne(loop, fleet, foldMember(node, reader, collecting), 'folded', true);
    const choose = (now: Fleet): ReturnType<typeof dueForArchive> => dueForArchive(now, collecting.nowMs);
    return choose(fleet).length > 0 && (await publishOne(loop, fleet, archiveMember(node, reader, { fleets, choose }), 'archived', true));
  } catch (error) {
    // Another node was faster, or the hub is away: the next turn sees what is left.
    if (error instanceof CambiumError && ['refused', 'lost-race', 'hub-away'].includes(error.code)) return false;
    throw error;
  }
}

async function publishOne({ shop: { node, say } }: Loop, { config }: Fleet, member: Member<unknown>, event: string, trustKnown: boolean): Promise<boolean> {
  const patienceMs = Math.min(15_000, config.timings.ttlMs / 12);
  const end = (await publish(node, [member], { trustKnown, patienceMs, triesMax: 3 })).get(member.key) as Published<unknown>;
  if (end.state === 'refused-by-policy') say('janitor refused', { step: event, detail: end.detail });
  if (end.state !== 'published') return false;
  say(event, { count: Array.isArray(end.value) ? end.value.length : end.value });
  return true;
}
