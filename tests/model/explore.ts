/**
 * Exhaustive breadth-first search over the states of a model. Breadth-first, so the first violation found
 * has a shortest trace.
 */

export interface Step<S> {
  /** What happened, as a person would tell it. */
  readonly label: string;
  readonly state: S;
  /** Set when the step itself broke an invariant. */
  readonly broken?: string;
}

export interface Model<S> {
  readonly name: string;
  readonly initial: S;
  /** Equal keys mean equal states up to symmetry. */
  key(state: S): string;
  next(state: S): readonly Step<S>[];
  /** The invariant that this state breaks, or null. */
  broken(state: S): string | null;
  /**
   * Runs the state to rest without faults and judges the rest. Called for the sample of states that
   * `settleEvery` selects, since it costs more than a step.
   */
  settles?(state: S): { readonly invariant: string; readonly labels: readonly string[] } | null;
}

export interface Verdict {
  readonly name: string;
  readonly states: number;
  readonly transitions: number;
  readonly settled: number;
  readonly ms: number;
  /** False when `statesMax` ended the search before its bounds did. */
  readonly complete: boolean;
  /** Every kind of step taken, so that a model cannot be green for want of moves. */
  readonly labels: ReadonlySet<string>;
  readonly violation: { readonly invariant: string; readonly trace: readonly string[] } | null;
}

export interface Limits {
  readonly statesMax: number;
  /** 1 settles every state, k about every k-th, 0 none. */
  readonly settleEvery: number;
  readonly nowMs: () => number;
}

interface Visit {
  readonly parent: number;
  readonly label: string;
}

export function explore<S>(model: Model<S>, limits: Limits): Verdict {
  const startedMs = limits.nowMs();
  const visits: Visit[] = [{ parent: -1, label: 'start' }];
  const seen = new Set([model.key(model.initial)]);
  let frontier: { readonly state: S; readonly index: number }[] = [{ state: model.initial, index: 0 }];
  const labels = new Set<string>();
  let transitions = 0;
  let settled = 0;

  const verdict = (complete: boolean, invariant: string | null, trace: readonly string[]): Verdict => ({
    name: model.name, states: visits.length, transitions, settled, ms: limits.nowMs() - startedMs, complete, labels,
    violation: invariant === null ? null : { invariant, trace },
  });

  while (frontier.length > 0) {
    const reached: { readonly state: S; readonly index: number }[] = [];
    for (const { state, index } of frontier) {
      for (const step of model.next(state)) {
        transitions += 1;
        labels.add(step.label);
        if (step.broken !== undefined) return verdict(false, step.broken, traceOf(visits, index, step.label));
        const key = model.key(step.state);
        if (seen.has(key)) continue;
        seen.add(key);
        const invariant = model.broken(step.state);
        if (invariant !== null) return verdict(false, invariant, traceOf(visits, index, step.label));
        visits.push({ parent: index, label: step.label });
        if (model.settles !== undefined && limits.settleEvery > 0 && visits.length % limits.settleEvery === 0) {
          settled += 1;
          const unrest = model.settles(step.state);
          if (unrest !== null) return verdict(false, unrest.invariant, [...traceOf(visits, index, step.label), ...unrest.labels.map((label) => `(to rest) ${label}`)]);
        }
        if (visits.length >= limits.statesMax) return verdict(false, null, []);
        reached.push({ state: step.state, index: visits.length - 1 });
      }
    }
    frontier = reached;
  }
  return verdict(true, null, []);
}

function traceOf(visits: readonly Visit[], index: number, last: string): readonly string[] {
  const labels = [last];
  for (let at = index; at > 0;) {
    const visit = visits[at];
    if (visit === undefined) break;
    labels.push(visit.label);
    at = visit.parent;
  }
  return labels.toReversed();
}
