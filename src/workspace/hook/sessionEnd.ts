/** `cambium hook session-end`: forgets the session, and gives back the locks and reservations that it leaves behind. */
import { listRefs, lookUp } from '../../adapters/git/lookUp.ts';
import { NOTHING } from '../../model/hook.ts';
import type { HookAnswer } from '../../model/hook.ts';
import { LOCKS_PREFIX, mirrorRef } from '../../model/layout.ts';
import type { HookCall } from './call.ts';

export async function answer(call: HookCall): Promise<HookAnswer> {
  call.state.forget();
  if (holdsAny(call)) await giveBack(call);
  return NOTHING;
}

/** A look into this clone first: nearly every session ends without a lock, and the hub need not hear of it. */
function holdsAny({ place, agent, spawn }: HookCall): boolean {
  const refs = [...listRefs(place.commonDir, mirrorRef(LOCKS_PREFIX)).values()];
  const wanted = spawn === null ? `agent:${agent}` : spawn.id;
  return lookUp(place.commonDir, refs.map((oid) => `${oid}:lock.json`)).some((file) => file?.bytes.includes(JSON.stringify(wanted)) === true);
}

async function giveBack({ place, agent, spawn }: HookCall): Promise<void> {
  const [{ openClone }, { inSession }, { giveBackAll }] = await Promise.all([import('../compose.ts'), import('../session.ts'), import('../locks.ts')]);
  const clone = await openClone({ cwd: place.root });
  try {
    await inSession(clone, { needsHub: true, agent }, (session) => giveBackAll(session, spawn === null ? {} : { spawn: spawn.id }));
  } finally {
    await clone.close();
  }
}
