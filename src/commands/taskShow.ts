/** `cambium task list|ready|show`, read from what this clone knows; the hub is asked only where no daemon keeps it fresh. */
import { resultPath } from '../model/layout.ts';
import type { Quarantined } from '../model/task.ts';
import type { TaskSituation, TaskState } from '../orient/situation.ts';
import { listTasks, situationNow, summary, taskDetail } from '../workspace/queue.ts';
import type { TaskDetail } from '../workspace/queue.ts';
import { withSession } from '../workspace/session.ts';
import type { Session } from '../workspace/session.ts';
import { paint, table } from './output.ts';
import { plain } from '../workspace/plain.ts';
import type { Answer } from './output.ts';

const COLOR: Readonly<Record<TaskState, number>> = { input: 35, review: 35, held: 36, ready: 32, waiting: 33, blocked: 33, failed: 31, cancelled: 90, done: 90 };

export interface ListOptions {
  readonly state?: string | undefined;
}

export function listCommand({ state }: ListOptions): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const shown = listTasks(session, state);
    const rows = shown.map((task) => [task.state, task.task.id, `P${task.task.priority}`, clip(task.task.title, 50), remark(task)]);
    const text = shown.length === 0 && state !== undefined ? `No task is ${state}.` : shown.length === 0 ? 'No tasks. Drop a Markdown file into tasks/, or run `cambium task add "<title>"`.' : colored(rows);
    return { data: { tasks: shown.map(summary), quarantine: session.fleet.quarantine, stale: session.stale }, text: [text, ...quarantineText(session.fleet.quarantine), ...staleText(session)].join('\n') };
  });
}

export function readyCommand(): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const { ready } = situationNow(session);
    const text = ready.length === 0 ? 'Nothing is ready.' : table(ready.map(({ task }) => [task.id, `P${task.priority}`, clip(task.title, 60)]));
    return { data: { tasks: ready.map(summary), stale: session.stale }, text: [text, ...staleText(session)].join('\n') };
  });
}

export function showCommand(id: string): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const detail = await taskDetail(session, id);
    return { data: detail, text: [...headText(detail), ...chainText(detail), ...bodiesText(detail)].join('\n') };
  });
}

export function headText({ id, title, state, reasons, path, priority }: TaskDetail): string[] {
  return [`${paint(id, 1)}  ${plain(title)}`, `${state}${reasons.length === 0 ? '' : `: ${plain(reasons.join('. '))}`}`, `${plain(path)} · priority ${priority}`];
}

export function chainText({ chain }: TaskDetail): string[] {
  if (chain.length === 0) return [];
  return ['', 'Claim chain, newest first:', table(chain.map(({ commit, kind, epoch, agent, node, at, reason, by }) => [`  ${commit.slice(0, 8)}`, kind, `epoch ${epoch}`, by === null ? `${agent ?? ''}${node === null ? '' : ` on ${node}`}` : `by ${plain(by)}`, at, plain(reason ?? '').replace(/\s+/g, ' ')]))];
}

export function bodiesText({ instruction, path, result_text: result }: TaskDetail): string[] {
  return ['', plain(instruction.trim()), ...(result === null ? [] : ['', `--- ${resultPath(path)} ---`, plain(result.trim())])];
}

function remark({ state, reasons, result }: TaskSituation): string {
  if (state === 'done' || state === 'failed' || state === 'cancelled') return `${result?.agent ?? ''}${result?.node === null || result === undefined ? '' : ` on ${result.node}`}`;
  return clip(reasons[0] ?? '', 70);
}

function colored(rows: readonly (readonly string[])[]): string {
  const lines = table(rows.map((row) => row.map(plain))).split('\n');
  return lines.map((line, at) => paint(line, COLOR[rows[at]?.[0] as TaskState])).join('\n');
}

export function quarantineText(quarantine: readonly Quarantined[]): string[] {
  if (quarantine.length === 0) return [];
  return ['', `Set aside, not acted on (${quarantine.length}):`, ...quarantine.map(({ path, line, reason, mend }) => `  ${plain(path)}:${line} ${plain(reason)}\n    → ${plain(mend)}`)];
}

export function staleText({ stale }: Pick<Session, 'stale'>): string[] {
  return stale === null ? [] : ['', `The hub could not be asked, so this is what the clone last saw: ${stale}`];
}

function clip(text: string, most: number): string {
  const line = plain(text).replace(/\s+/g, ' ');
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`;
}
