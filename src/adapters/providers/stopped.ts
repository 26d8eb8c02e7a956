/** What it means for a report that the supervisor ended a process. Pure. */
import type { Criterion, Task } from '../../model/task.ts';
import type { FailureKind, SpawnEnd } from '../../ports/provider.ts';
import { fenced } from './fences.ts';

interface Stop {
  readonly failure: FailureKind | null;
  readonly text: string;
}

const STOPS: Readonly<Record<NonNullable<SpawnEnd['stopped']>, Stop>> = {
  timeout: { failure: 'timeout', text: 'It was ended at its time limit.' },
  silence: { failure: 'hung', text: 'It was ended after printing nothing for too long.' },
  fenced: { failure: null, text: 'It was ended because the claim was no longer renewed.' },
  asked: { failure: null, text: 'It was stopped on request.' },
};

/** Null when it ended by itself. */
export function stopOf(end: SpawnEnd): Stop | null {
  return end.stopped === null ? null : STOPS[end.stopped];
}

/** `exit 3`, `signal SIGKILL`: how a process ended. */
export function howItEnded(end: SpawnEnd): string {
  return end.exit === null ? `signal ${end.signal ?? 'unknown'}` : `exit ${end.exit}`;
}

/** The last lines it printed, as Markdown. */
export function tailMarkdown(end: SpawnEnd): string {
  const text = end.tail.slice(-TAIL_CHARS_MAX);
  return text.trim() === '' ? 'It printed nothing.' : `The end of its output:\n\n${fenced(text, 'text')}`;
}

/** Of 64 KiB a reader of the report wants the end; the spawn's log has the rest. */
const TAIL_CHARS_MAX = 16 * 1024;

/** The same verdict on every acceptance criterion of the task. */
export function judgeAll(task: Task | null, met: boolean, evidence: string): readonly Criterion[] {
  return (task?.acceptanceCriteria ?? []).map((text) => ({ text, met, evidence }));
}

/** Of a program that tells nothing of itself but its exit and its output. */
export const UNTOLD = { usage: null, costUsd: null, session: null, resetAt: null, warnings: [], question: null } as const;
