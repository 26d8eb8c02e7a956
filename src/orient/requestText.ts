/** What a coordinator is told of the tasks of a request, as Markdown. Pure: the same fleet gives the same text on every node. */
import type { Request, RequestRound } from './requests.ts';
import type { TaskSituation } from './situation.ts';

/** Of one report, and of what was asked. The whole stands in the tree. */
const REPORT_CHARS = 700;
const ASKED_CHARS = 2_000;
/** More tasks than these are counted, not named. */
const NAMED_MAX = 40;

/** `reports`: by task, what its agent reported. */
export function roundText({ message, tasks }: Pick<Request, 'message' | 'tasks'>, { number, news, moving }: RequestRound, reports: ReadonlyMap<string, string>): string {
  return [
    `${opening(news, moving)} (Round ${number} of the request ${message.id}, by ${message.from}.)`, '',
    'What was asked:', '', quoted(message.text, ASKED_CHARS), '',
    ...(news.length === 0 ? [] : ['New since you were told last:', '', ...news.slice(0, NAMED_MAX).flatMap((task) => newsLines(task, reports.get(task.task.id) ?? '')), ...more(news.length), '']),
    ...listed('Still going on', moving), ...listed('All others of this request', tasks.filter((task) => !news.includes(task) && !moving.includes(task))),
    ...closing(moving),
  ].join('\n').trim();
}

function opening(news: readonly TaskSituation[], moving: readonly TaskSituation[]): string {
  if (moving.length > 0) return `${news.filter(({ state }) => state === 'input' || state === 'review').length === 1 ? 'A task asks' : 'Tasks ask'} for a person while others go on.`;
  if (news.length === 0) return 'No task of it is at work, and you have not said that it is done.';
  return news.every(({ result }) => result !== undefined) ? 'All tasks of it that were open have ended.' : 'No task of it goes on by itself any more.';
}

function newsLines(task: TaskSituation, report: string): readonly string[] {
  const { result, reasons } = task;
  const cost = result?.costUsd === null || result === undefined ? '' : `, $${result.costUsd.toFixed(2)}`;
  const by = result === undefined ? '' : `${result.agent === null ? '' : ` by ${result.agent}`}, attempt ${result.attempts}${cost}`;
  const why = result === undefined && reasons[0] !== undefined ? `: ${oneLine(reasons[0])}` : '';
  const said = report.trim() === '' ? [] : [quoted(report, REPORT_CHARS, '  '), ''];
  return [`- \`${task.task.id}\` (${oneLine(task.task.title)}): ${task.state}${by}${why}`, ...said];
}

function listed(what: string, tasks: readonly TaskSituation[]): readonly string[] {
  if (tasks.length === 0) return [];
  return [`${what}: ${tasks.slice(0, NAMED_MAX).map(({ task, state }) => `${task.id} (${state})`).join(', ')}${tasks.length > NAMED_MAX ? `, and ${tasks.length - NAMED_MAX} more` : ''}.`, ''];
}

function closing(moving: readonly TaskSituation[]): readonly string[] {
  return [
    'Look at the results themselves before you believe a report. Then either',
    '', '- add what is missing or must be done again, as complete task files; or',
    moving.length > 0
      ? '- say in a few lines what the person must decide, with `@human`; you are told again when the others have ended.'
      : '- report to the person with `@human`: what is there now and where, how it was checked, and what is left. That ends the request.',
  ];
}

function more(count: number): readonly string[] {
  return count > NAMED_MAX ? [`- and ${count - NAMED_MAX} more`] : [];
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, 300);
}

/** Others' words, so that none of them reads as the node's own. */
function quoted(text: string, most: number, indent = ''): string {
  const shown = text.trim().length > most ? `${text.trim().slice(0, most)} …` : text.trim();
  return shown.split('\n').map((line) => `${indent}> ${line}`.trimEnd()).join('\n');
}
