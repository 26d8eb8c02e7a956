/** What only the shell can know, for a plan: probes, the checkout, ended processes. Plain data. */
import type { TaskId } from '../model/ids.ts';

export interface PlanFacts {
  /** Why a provider cannot run on this machine, by its name; one that is not named can. */
  readonly unavailable: ReadonlyMap<string, string>;
  /** Tasks that are not asked for again for a while, with the reason. */
  readonly heldOff: ReadonlyMap<TaskId, string>;
  /** Tasks whose claims main does not tell as their chains do. */
  readonly projections: readonly TaskId[];
  /** Paths that the person has saved and the hub has not. */
  readonly edits: readonly string[];
  /** Tasks of this node whose agent, or whose verify, has ended. */
  readonly ended: ReadonlySet<TaskId>;
}

export const NO_FACTS: PlanFacts = { unavailable: new Map(), heldOff: new Map(), projections: [], edits: [], ended: new Set() };
