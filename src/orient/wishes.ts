/** How the record of stopped and paused things changes by one wish. Pure. */
import { pauseOf } from '../model/stop.ts';
import type { Pausable, StopMode, StopRecord, Wish } from '../model/stop.ts';

/** The group of the record that a kind stands in. */
const GROUP = { agent: 'agents', provider: 'providers', project: 'projects' } as const satisfies Record<Pausable, keyof StopRecord>;

/** Null where it is stopped in that way already. A frozen fleet may be drained, and a draining one frozen. */
export function stopped(stop: StopRecord, mode: StopMode, wish: Wish): StopRecord | null {
  return stop.fleet?.mode === mode ? null : { ...stop, fleet: { mode, ...wish } };
}

/** Null where it goes on already. */
export function wentOn(stop: StopRecord): StopRecord | null {
  return stop.fleet === null ? null : { ...stop, fleet: null };
}

/** Null where it is paused already. */
export function withPause(stop: StopRecord, kind: Pausable, name: string, wish: Wish): StopRecord | null {
  return pauseOf(stop, kind, name) !== null ? null : { ...stop, [GROUP[kind]]: { ...stop[GROUP[kind]], [name]: wish } };
}

/** Null where nothing keeps it back. A provider's resume is remembered: it ends what any node has parked before it. */
export function withoutPause(stop: StopRecord, kind: Pausable, name: string, { wish, op, parked }: { readonly wish: Wish; readonly op: string; readonly parked: boolean }): StopRecord | null {
  const wasPaused = pauseOf(stop, kind, name) !== null;
  if (!wasPaused && !parked) return null;
  const others = Object.fromEntries(Object.entries(stop[GROUP[kind]]).filter(([other]) => other !== name));
  return { ...stop, [GROUP[kind]]: others, ...(kind === 'provider' ? { resumed: { ...stop.resumed, [name]: { ...wish, op } } } : {}) };
}
