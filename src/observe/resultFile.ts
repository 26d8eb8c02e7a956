/**
 * `tasks/<id>.result.md`: how a task ended. Written once by a machine, in one order and one way of quoting, so that
 * every node writes the same bytes; whatever an agent reports, the file passes this same door again.
 */
import type { Criterion, Quarantined, TaskResult } from '../model/task.ts';
import { readFrontMatter } from './frontMatter.ts';
import { type Rule, agentId, anyText, bool, faultText, id, judgeSchema, listOf, nullable, number, oid, oneOf, optional, shape, whole } from './rules.ts';
import { type ResultDraft, placeResult } from './taskDraft.ts';
import { FILE_BYTES_MAX, FRONT_MATTER_BYTES_MAX, decodeText, isQuarantined } from './text.ts';
import type { Path, ScalarKind } from './yaml.ts';

export const RESULT_SCHEMA = 'cambium.result/1';

const amount = number('must be a number of at least 0', (value) => value >= 0);

const RESULT: Rule = shape({
  schema: oneOf([RESULT_SCHEMA]),
  outcome: oneOf(['done', 'failed', 'cancelled']),
  epoch: whole(0),
  claim: nullable(oid),
  attempts: whole(0),
  agent: nullable(agentId),
  node: nullable(id),
  provider: nullable(anyText),
  model: nullable(anyText),
  started: nullable(anyText),
  ended: anyText,
  usage: nullable(shape({ input: amount, cached: amount, output: amount })),
  cost_usd: nullable(amount),
  commits: listOf(oid),
  criteria: listOf(shape({ text: anyText, met: bool, evidence: anyText })),
  verify: nullable(shape({ command: anyText, exit: number('must be a whole number', Number.isSafeInteger), seconds: amount })),
  spawns: listOf(anyText),
  project: optional(nullable(shape({ name: id, branch: anyText, commit: oid }))),
});

const NUMBERS = new Set(['epoch', 'attempts', 'cost_usd', 'input', 'cached', 'output', 'exit', 'seconds']);

/** Text keys come from their source: an object id such as `12e5432` is no number. Keys of a newer version stay plain. */
function resultScalarKind(path: Path): ScalarKind {
  const key = path.findLast((part) => typeof part === 'string') ?? '';
  if (NUMBERS.has(String(key))) return 'number';
  return key === 'met' ? 'any' : 'text';
}

/** Never throws. The task is the path's stem. */
export function parseResult(file: { readonly path: string; readonly bytes: Uint8Array }): TaskResult | Quarantined {
  const draft = readResultDraft(file.bytes);
  return isQuarantined(draft) ? { ...draft, path: file.path } : placeResult(draft, file.path);
}

/** What the bytes alone say, whatever path they stand at; a fault's path is empty. */
export function readResultDraft(bytes: Uint8Array): ResultDraft | Quarantined {
  const text = decodeText('', bytes);
  if (typeof text !== 'string') return text;
  const front = readFrontMatter('', text, resultScalarKind);
  if (isQuarantined(front)) return front;
  const { data, lines } = front;
  if (judgeSchema(data['schema'], RESULT_SCHEMA) === 'too-new') {
    return { path: '', line: lines.get('schema') ?? 1, reason: `schema-too-new: ${String(data['schema'])} is newer than ${RESULT_SCHEMA}.`, mend: 'Upgrade cambium on this machine.' };
  }
  const fault = RESULT(data);
  if (fault === null) return draftOf(data as unknown as ResultFields);
  const line = lines.get(String(fault.at[0])) ?? 1;
  return { path: '', line, reason: `${faultText(fault)}.`, mend: 'Restore the file from git: the fleet writes it, and `cambium task reopen` reopens a task.' };
}

type ResultFields = Omit<TaskResult, 'task' | 'costUsd'> & { readonly cost_usd: number | null };

function draftOf(data: ResultFields): ResultDraft {
  const { outcome, epoch, claim, attempts, agent, node, provider, model, started, ended, usage, commits, criteria, verify, spawns, project = null } = data;
  return {
    outcome, epoch, claim, attempts, agent, node, provider, model, started, ended,
    usage: usage === null ? null : { input: usage.input, cached: usage.cached, output: usage.output },
    costUsd: data.cost_usd, commits,
    criteria: criteria.map(({ text, met, evidence }) => ({ text, met, evidence })),
    verify: verify === null ? null : { command: verify.command, exit: verify.exit, seconds: verify.seconds },
    spawns, ...(project === null ? {} : { project: { name: project.name, branch: project.branch, commit: project.commit } }),
  };
}

/**
 * The file's text, always ending in a line feed. Round-trips, with two limits: bytes that the door refuses are made
 * harmless in the report, and evidence or lists too long for the caps are cut.
 */
export function renderResult(result: TaskResult, report: string): string {
  const front = ['---', ...fittingFront(result), '---', ''].join('\n');
  const room = FILE_BYTES_MAX - byteLength(front) - 200;
  return `${front}${cutText(harmless(report), room).trimEnd()}\n`;
}

/** From whole to terse: an agent may claim a thousand criteria with a page of evidence each. */
const CUTS = [
  { evidence: Number.POSITIVE_INFINITY, items: Number.POSITIVE_INFINITY }, { evidence: 2_000, items: 500 }, { evidence: 200, items: 200 }, { evidence: 40, items: 40 },
] as const;

function fittingFront(result: TaskResult): readonly string[] {
  let lines: readonly string[] = [];
  for (const { evidence, items } of CUTS) {
    lines = frontLines(cutResult(result, evidence, items));
    if (byteLength(lines.join('\n')) <= FRONT_MATTER_BYTES_MAX) break;
  }
  return lines;
}

function cutResult(result: TaskResult, characters: number, items: number): TaskResult {
  if (characters === Number.POSITIVE_INFINITY) return result;
  const short = (text: string): string => (text.length <= characters ? text : `${text.slice(0, characters)}…`);
  return {
    ...result,
    model: result.model === null ? null : short(result.model),
    commits: result.commits.slice(-items),
    criteria: result.criteria.slice(0, items).map(({ text, met, evidence }) => ({ text: short(text), met, evidence: short(evidence) })),
    verify: result.verify === null ? null : { ...result.verify, command: short(result.verify.command) },
    spawns: result.spawns.slice(-items),
  };
}

function frontLines(result: TaskResult): readonly string[] {
  const { usage, verify, project = null } = result;
  return [
    `schema: ${RESULT_SCHEMA}`,
    `outcome: ${result.outcome}`,
    `epoch: ${result.epoch}`,
    `claim: ${scalar(result.claim)}`,
    `attempts: ${result.attempts}`,
    `agent: ${scalar(result.agent)}`,
    `node: ${scalar(result.node)}`,
    `provider: ${scalar(result.provider)}`,
    `model: ${scalar(result.model)}`,
    `started: ${scalar(result.started)}`,
    `ended: ${scalar(result.ended)}`,
    `usage: ${usage === null ? 'null' : `{ input: ${usage.input}, cached: ${usage.cached}, output: ${usage.output} }`}`,
    `cost_usd: ${result.costUsd}`,
    `commits: ${list(result.commits.map(scalar))}`,
    `criteria: ${list(result.criteria.map(criterion))}`,
    `verify: ${verify === null ? 'null' : `{ command: ${scalar(verify.command)}, exit: ${verify.exit}, seconds: ${verify.seconds} }`}`,
    `spawns: ${list(result.spawns.map(scalar))}`,
    ...(project === null ? [] : [`project: { name: ${scalar(project.name)}, branch: ${scalar(project.branch)}, commit: ${scalar(project.commit)} }`]),
  ];
}

function criterion({ text, met, evidence }: Criterion): string {
  return `{ text: ${scalar(text)}, met: ${met}, evidence: ${scalar(evidence)} }`;
}

function list(items: readonly string[]): string {
  return `[${items.join(', ')}]`;
}

/** Plain only where every YAML reader of the last twenty years sees the same text; else double-quoted on one line. */
function scalar(text: string | null): string {
  if (text === null) return 'null';
  if (TIME.test(text) || (PLAIN.test(text) && !NOT_TEXT.test(text))) return text;
  return JSON.stringify(text).replace(/[\p{Cc}\u2028\u2029\ufeff\ufffe\uffff]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z$/u;
const PLAIN = /^[A-Za-z0-9](?:[A-Za-z0-9 ._/+-]*[A-Za-z0-9])?$/u;
/** Words that some reader takes for a boolean or null, and whatever looks like a number, a date or an exponent. */
const NOT_TEXT = /^(?:true|false|yes|no|on|off|y|n|null|nan|inf|[\d.+_-]+|0[xob][\da-f_]+|[\d._]+e[+-]?\d+)$/iu;

function harmless(report: string): string {
  return report
    .replace(/\r\n?/gu, '\n')
    .replace(/\0/gu, '\ufffd')
    .replace(/^\ufeff/u, '')
    .replace(/^(?=(?:<{7}|>{7})(?: |$))/gmu, ' ');
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

function cutText(text: string, bytesMax: number): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= bytesMax) return text;
  // Decoding without `fatal` turns the half character at the cut into U+FFFD, which is dropped.
  const kept = new TextDecoder().decode(bytes.subarray(0, bytesMax)).replace(/\ufffd$/u, '');
  return `${kept}\n\n(The report was ${bytes.length} bytes and is cut here.)`;
}
