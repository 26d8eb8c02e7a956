/** The answer to "why is it not running, and what would make it run?", and what it is made from. Plain data. */
import type { Decision } from '../model/decision.ts';
import type { TaskId } from '../model/ids.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Candidate, LocalFacts } from './candidates.ts';
import type { Situation, TaskState } from './situation.ts';

export interface Explanation {
  readonly task: TaskId;
  readonly state: TaskState | 'quarantined' | 'archived' | 'unpublished';
  /** The first is the short answer. */
  readonly why: readonly string[];
  /** What would make it run; empty when nothing has to be done. */
  readonly mend: readonly string[];
  /** Who could take it, for tasks that somebody may still take. */
  readonly agents: readonly Candidate[];
}

export interface ExplainFacts {
  readonly fleet: Fleet;
  readonly situation: Situation;
  readonly local: LocalFacts;
  /** First line that the result file says for people, where the task has ended. */
  readonly report: string | null;
  /** The last decisions about the task, newest first. */
  readonly decided: readonly Pick<Decision, 'kind' | 'reason'>[];
}

export type Words = Pick<Explanation, 'why' | 'mend'>;
