/**
 * How a spawn of an agent CLI ended: from the events it printed, its end, and the report it left, to a SpawnReport.
 *
 * Success needs three things at once: exit 0, the CLI's own terminal event, and no error in it. An exit code alone says
 * nothing: an interrupted CLI exits 0, and one whose service failed may call that a success.
 *
 *   stopped        by the supervisor: hung, timeout or no failure. A CLI that fell silent over a limit has that failure
 *   crashed        no terminal event, and no error event that says why; or a good one and another exit than 0
 *   by its error   the terminal event says so: the last error or limit event, else what its text says
 *   empty          a success without a final word, a report or a file that is known to be changed
 *   by its report  `outcome: failed` or `outcome: input` in result.md, else in the final text
 */
import type { SpawnEvent } from '../../model/spawnEvent.ts';
import type { Usage } from '../../model/task.ts';
import { judgeCriteria, parseResultFile } from '../../observe/report.ts';
import type { AgentResult } from '../../observe/report.ts';
import type { FailureKind, SpawnEnd, SpawnReport, SpawnRequest } from '../../ports/provider.ts';
import { redact } from '../system/redact.ts';
import { LOG_FILE } from '../system/spawnFiles.ts';
import { failureOf, resetTime } from './failures.ts';
import { fenced } from './fences.ts';
import { uncolored } from './plainReader.ts';
import { howItEnded, stopOf } from './stopped.ts';

const RESULT_FILE = 'result.md';
const WARNINGS_MAX = 20;
const WARNING_CHARS_MAX = 500;
/** Of what stood between the events: error messages of the CLI itself. */
const STRAY_CHARS_MAX = 16 * 1024;

export interface JudgeRules {
  readonly reader: () => (line: string) => readonly SpawnEvent[];
  /** True for the CLI's own tools that change a file: after a call of one that went well, an end without words is no empty one. */
  readonly changesFiles: (tool: string) => boolean;
  /** Values to mask in what the agent wrote. */
  readonly secrets: readonly string[];
}

/** Throws for nothing that an agent or its CLI may print or leave. */
export async function judgeSpawn(request: SpawnRequest, end: SpawnEnd, readFile: (name: string) => Promise<string | null>, rules: JudgeRules): Promise<SpawnReport> {
  const [log, left] = await Promise.all([readFile(LOG_FILE), readFile(RESULT_FILE)]);
  const { events, stray } = readEvents(log ?? end.tail, rules.reader());
  const final = events.findLast((event) => event.kind === 'end');
  const own = left === null || left.trim() === '' ? null : parseResultFile(redact(left, rules.secrets));
  const said = final === undefined || final.text.trim() === '' ? null : parseResultFile(redact(final.text, rules.secrets));
  const result = own ?? said;
  const problem = problemOf(events, end) ?? emptyOf(events, result, rules) ?? declared(result);
  const ok = problem === null;
  return {
    ok,
    failure: problem?.failure ?? null,
    report: redact(reportOf(result, problem, events, stray), rules.secrets),
    criteria: judgeCriteria(request.task, own !== null && own.criteria.length > 0 ? own.criteria : (said?.criteria ?? [])),
    ...spentBy(events, request.resume),
    session: events.flatMap((event) => (event.kind === 'start' ? [event.session] : [])).findLast((session) => session !== null) ?? null,
    model: events.flatMap((event) => (event.kind === 'start' ? [event.model] : [])).findLast((model) => model !== null) ?? null,
    retryable: result?.retryable ?? true,
    resetAt: ok ? null : resetOf(events, problem, end),
    warnings: warningsOf(events).map((text) => redact(text, rules.secrets)),
    question: ok || !problem.isDeclared ? null : (result?.question ?? null),
  };
}

interface Read {
  readonly events: readonly SpawnEvent[];
  /** The lines that are no events, without JSON ones. */
  readonly stray: string;
}

/** The log holds both streams, line by line. */
function readEvents(log: string, read: (line: string) => readonly SpawnEvent[]): Read {
  const events: SpawnEvent[] = [];
  const stray: string[] = [];
  for (const line of log.split('\n')) {
    const found = read(line);
    events.push(...found);
    if (found.length === 0 && line.trim() !== '' && !/^\s*[{[]/.test(line)) stray.push(uncolored(line));
  }
  return { events, stray: stray.join('\n').slice(-STRAY_CHARS_MAX) };
}

interface Problem {
  readonly failure: FailureKind | null;
  readonly text: string;
  /** The agent said so itself, in its report. */
  readonly isDeclared: boolean;
}

type Trouble = Extract<SpawnEvent, { readonly kind: 'limit' | 'error' }>;

const isTrouble = (event: SpawnEvent): event is Trouble => event.kind === 'limit' || (event.kind === 'error' && event.failure !== null);
const isProgress = ({ kind }: SpawnEvent): boolean => kind === 'text' || kind === 'tool' || kind === 'tool_result';

function problemOf(events: readonly SpawnEvent[], end: SpawnEnd): Problem | null {
  const stop = stopOf(end);
  const trouble = events.findLast(isTrouble);
  const problem = (failure: FailureKind | null, text: string): Problem => ({ failure, text, isDeclared: false });
  if (stop !== null) {
    // A CLI that waits out a limit in silence is no hung one; what it overcame is nothing.
    const last = stop.failure === null ? undefined : events.findLast((event) => isTrouble(event) || isProgress(event));
    return last !== undefined && isTrouble(last) ? problem(last.failure, `${stop.text} Before that: ${last.text}`) : problem(stop.failure, stop.text);
  }
  const final = events.findLast((event) => event.kind === 'end');
  if (final === undefined) return problem(trouble?.failure ?? 'crashed', trouble?.text ?? `It ended with ${howItEnded(end)} before it had said that it was done.`);
  if (!final.ok) return problem(trouble?.failure ?? failureOf(null, final.text) ?? 'crashed', trouble?.text ?? (final.text.trim() === '' ? 'It ended with an error that it did not name.' : final.text));
  return end.exit === 0 ? null : problem('crashed', `It said that it was done, and ended with ${howItEnded(end)}.`);
}

function emptyOf(events: readonly SpawnEvent[], result: AgentResult | null, { changesFiles }: JudgeRules): Problem | null {
  if (result !== null) return null;
  const failed = new Set(events.flatMap((event) => (event.kind === 'tool_result' && !event.ok && event.id !== null ? [event.id] : [])));
  const changed = events.some((event) => event.kind === 'tool' && changesFiles(event.name) && (event.id === null || !failed.has(event.id)));
  return changed ? null : { failure: 'empty', text: 'It ended well, and left neither a word nor a changed file.', isDeclared: false };
}

function declared(result: AgentResult | null): Problem | null {
  if (result === null || (!result.failed && result.question === null)) return null;
  const text = result.question === null ? 'The agent says that it failed.' : `It asks: ${result.question}`;
  return { failure: result.failure ?? 'declared', text, isDeclared: true };
}

/** The agent's own words where there are some; what went wrong before them, and what else was printed where there are none. */
function reportOf(result: AgentResult | null, problem: Problem | null, events: readonly SpawnEvent[], stray: string): string {
  const own = result === null || result.body === '' ? null : result.body;
  if (own !== null && (problem === null || problem.isDeclared)) return own;
  if (problem === null) return '# Report\n\nIt changed files and said nothing of it.';
  // The final text of a failed run is the error itself.
  const last = own !== null && own !== problem.text ? own : events.findLast((event) => event.kind === 'text')?.text;
  const words = last === undefined || last === problem.text ? [] : [`Its last words:\n\n${last}`];
  return ['# Report', problem.text, ...words, ...(stray === '' ? [] : [`Beside its events it printed:\n\n${fenced(stray, 'text')}`])].join('\n\n');
}

function resetOf(events: readonly SpawnEvent[], problem: Problem | null, end: SpawnEnd): string | null {
  if (problem?.failure !== 'rate_limit' && problem?.failure !== 'overloaded') return null;
  const told = events.findLast((event) => event.kind === 'limit' && event.resetAt !== null);
  return (told?.kind === 'limit' ? told.resetAt : null) ?? resetTime(problem.text, end.endedAt);
}

function warningsOf(events: readonly SpawnEvent[]): readonly string[] {
  const texts = events.flatMap((event) => (event.kind === 'error' && event.failure === null && event.text.trim() !== '' ? [event.text.slice(0, WARNING_CHARS_MAX)] : []));
  return [...new Set(texts)].slice(0, WARNINGS_MAX);
}

/** What this spawn alone has used. A CLI that says a session's totals has them lessened by what the session had used before. */
export function spentBy(events: readonly SpawnEvent[], resume: SpawnRequest['resume']): Pick<SpawnReport, 'usage' | 'costUsd'> {
  const told = events.filter((event) => event.kind === 'usage');
  const last = told.at(-1);
  const priced = told.findLast(({ costUsd }) => costUsd !== null);
  const usage = last === undefined ? null : last.usage;
  const cost = priced === undefined ? null : priced.costUsd;
  return {
    usage: usage !== null && last?.cumulative === true ? usageSince(usage, resume?.usage ?? null) : usage,
    costUsd: cost !== null && priced?.cumulative === true ? since(cost, resume?.costUsd ?? 0) : cost,
  };
}

/** Totals that fell below the known ones were counted anew. */
function usageSince(now: Usage, before: Usage | null): Usage {
  if (before === null || now.input < before.input || now.output < before.output || now.cached < before.cached) return now;
  return { input: now.input - before.input, cached: now.cached - before.cached, output: now.output - before.output };
}

/** Of dollars that are added up as fractions, the noise below a millionth of a cent is cut off. */
const since = (now: number, before: number): number => (now < before ? now : Math.round((now - before) * 1e8) / 1e8);
