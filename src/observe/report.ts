/**
 * The report an agent leaves in its result file: Markdown, front matter allowed. An agent may write anything,
 * so nothing here throws; what cannot be read is taken as plain text. Pure.
 */
import { parse } from 'yaml';
import type { Criterion, Task } from '../model/task.ts';
import type { FailureKind } from '../model/spawn.ts';

const CHARS_MAX = 1024 * 1024;
const FRONT_CHARS_MAX = 64 * 1024;
const QUESTION_CHARS_MAX = 4_000;
/** `auth` is not among them: it would park the provider until a person comes, on the word of whatever wrote the file. */
const FAILURES: readonly string[] = ['rate_limit', 'overloaded', 'refused', 'denied', 'hung', 'timeout', 'crashed', 'empty'] satisfies readonly FailureKind[];

export interface AgentResult {
  readonly failed: boolean;
  /** What the agent says was the cause, when it failed and said so. */
  readonly failure: FailureKind | null;
  readonly retryable: boolean;
  /** What it must know from a person before it can go on (`outcome: input`, `question: …`). */
  readonly question: string | null;
  readonly criteria: readonly Criterion[];
  readonly body: string;
}

export function parseResultFile(text: string): AgentResult {
  const { front, body } = split(text.slice(0, CHARS_MAX));
  const failed = String(front['outcome'] ?? '').toLowerCase() === 'failed';
  const said = String(front['failure'] ?? '');
  return {
    failed,
    failure: failed && FAILURES.includes(said) ? (said as FailureKind) : null,
    retryable: front['retryable'] !== false,
    question: questionOf(front, body),
    criteria: Array.isArray(front['criteria']) ? front['criteria'].flatMap(criterionOf) : [],
    body: body.trim(),
  };
}

type Front = Readonly<Record<string, unknown>>;

/** Only what is closed and a mapping is front matter; all else is body. */
function split(text: string): { readonly front: Front; readonly body: string } {
  const found = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)^---[ \t]*\r?(?:\n|$)/m.exec(text);
  if (found === null || found.index !== 0 || (found[1] ?? '').length > FRONT_CHARS_MAX) return { front: {}, body: text };
  try {
    const front: unknown = parse(found[1] ?? '', { maxAliasCount: 20, logLevel: 'silent' });
    if (typeof front !== 'object' || front === null || Array.isArray(front)) return { front: {}, body: text };
    return { front: front as Front, body: text.slice(found[0].length) };
  } catch {
    return { front: {}, body: text };
  }
}

/** An agent that asks without a question has told it in its words. */
function questionOf(front: Front, body: string): string | null {
  if (!/^(input|needs[-_ ]input|blocked)$/i.test(String(front['outcome'] ?? ''))) return null;
  const said = front['question'];
  const text = typeof said === 'string' && said.trim() !== '' ? said.trim() : body.trim();
  return text === '' ? 'It needs an answer, and did not say to what.' : text.slice(0, QUESTION_CHARS_MAX);
}

function criterionOf(value: unknown): readonly Criterion[] {
  if (typeof value !== 'object' || value === null) return [];
  const { text, met, evidence } = value as Record<string, unknown>;
  if (typeof text !== 'string') return [];
  const isMet = met === true || (typeof met === 'string' && /^(true|yes|met)$/i.test(met));
  return [{ text, met: isMet, evidence: typeof evidence === 'string' && evidence.trim() !== '' ? evidence : 'no evidence given' }];
}

/** The task's own criteria in their order, each as reported; one that nobody spoke of is unmet. */
export function judgeCriteria(task: Task | null, reported: readonly Criterion[]): readonly Criterion[] {
  const byText = new Map(reported.map((criterion) => [plain(criterion.text), criterion]));
  return (task?.acceptanceCriteria ?? []).map((text) => ({ met: false, evidence: 'not reported', ...byText.get(plain(text)), text }));
}

function plain(text: string): string {
  return text.toLowerCase().replace(/\s+/g, ' ').trim().replace(/\.$/, '');
}
