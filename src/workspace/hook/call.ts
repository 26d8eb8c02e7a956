/** One call of a hook: who is asked about what, in which clone. Types and small readers shared by the five. */
import { lookUp } from '../../adapters/git/lookUp.ts';
import type { HookPlace } from '../../adapters/system/hookPlace.ts';
import type { HookState } from '../../adapters/system/hookState.ts';
import type { HookInput } from '../../model/hook.ts';
import { isId } from '../../model/ids.ts';
import { claimRef, mirrorRef } from '../../model/layout.ts';
import type { ClaimRecord } from '../../model/claim.ts';

export interface HookCall {
  readonly input: HookInput;
  readonly agent: string;
  /** Folder that the hook runs in. */
  readonly cwd: string;
  readonly place: HookPlace;
  readonly state: HookState;
  /** The engine's own spawn that the session is; null for a session that a person started. */
  readonly spawn: Spawned | null;
}

export interface Spawned {
  readonly id: string;
  readonly task: string | null;
  /** Where the agent leaves its report; null where its provider has no such file. */
  readonly resultFile: string | null;
}

/** A file of the fleet's main, by a name that git knows. */
export const onMain = ({ main }: HookPlace, path: string): string => `${main}:${path}`;

export interface HeldClaim {
  readonly task: string;
  readonly epoch: number;
  /** Blob of the instruction file that the claim pins. */
  readonly instruction: string | null;
}

/** Claims that the agent holds in this session, as far as this clone knows: those won by hand here, or the spawn's own. */
export function heldClaims({ place, state, agent, spawn }: Pick<HookCall, 'place' | 'state' | 'agent' | 'spawn'>): readonly HeldClaim[] {
  const tasks = spawn !== null
    ? [spawn.task].filter((task) => task !== null).map((task) => ({ task, epoch: null }))
    : state.claims().filter((saved) => saved['agent'] === agent).map((saved) => ({ task: String(saved['task']), epoch: Number(saved['epoch']) }));
  const wanted = tasks.filter(({ task }) => isId(task));
  const found = lookUp(place.commonDir, wanted.map(({ task }) => `${mirrorRef(claimRef(task))}:claim.json`));
  return wanted.flatMap(({ task, epoch }, at) => {
    const record = recordOf(found[at]?.bytes);
    // Lost, landed or given back meanwhile: nothing to remind of.
    const isHeld = record !== null && (record.kind === 'claim' || record.kind === 'renew') && record.agent === agent && (epoch === null || record.epoch === epoch);
    return isHeld ? [{ task, epoch: record.epoch, instruction: record.instruction?.blob ?? null }] : [];
  });
}

/** The record is read for what it says to the agent; who acts by it parses it whole (observe/claimRecord.ts). */
function recordOf(bytes: Buffer | undefined): Pick<ClaimRecord, 'kind' | 'agent' | 'epoch' | 'instruction'> | null {
  try {
    const value = JSON.parse(bytes?.toString('utf8') ?? 'null') as ClaimRecord | null;
    return typeof value === 'object' && value !== null && Number.isSafeInteger(value.epoch) ? value : null;
  } catch {
    return null;
  }
}
