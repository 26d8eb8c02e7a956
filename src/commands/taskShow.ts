/** `cambium task list|ready|show`, read from what this clone knows; the hub is asked only where no daemon keeps it fresh. */
import { CambiumError } from '../errors.ts';
import { chainHistory } from '../observe/chains.ts';
import { fileAt } from '../observe/tree.ts';
import { resultPath } from '../model/layout.ts';
import type { Quarantined } from '../model/task.ts';
import { byUrgency, orient } from '../orient/situation.ts';
import type { TaskSituation, TaskState } from '../orient/situation.ts';
import { paint, plain, table } from './output.ts';
import type { Answer } from './output.ts';
import { unknownTask, withSession } from '../workspace/session.ts';
import type { Session } from '../workspace/session.ts';

const ORDER: readonly TaskState[] = ['input', 'review', 'held', 'ready', 'waiting', 'blocked', 'failed', 'cancelled', 'done'];
const COLOR: Readonly<Record<TaskState, number>> = { input: 35, review: 35, held: 36, ready: 32, waiting: 33, blocked: 33, failed: 31, cancelled: 90, done: 90 };

export interface ListOptions {
  readonly state?: string | undefined;
}

export function listCommand(options: ListOptions): Promise<Answer> {
  if (options.state !== undefined && !(ORDER as readonly string[]).includes(options.state)) throw new CambiumError('usage', `There is no state ${options.state}.`, { hint: `The states are ${ORDER.join(', ')}.` });
  return withSession({ needsHub: false }, async (session) => {
    const { tasks } = orient(session.fleet, session.clone.clock.now().toISOString());
    const shown = [...tasks.values()].filter(({ state }) => options.state === undefined || state === options.state).toSorted((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || byUrgency(a, b));
    const rows = shown.map((task) => [task.state, task.task.id, `P${task.task.priority}`, clip(task.task.title, 50), remark(task)]);
    const text = shown.length === 0 && options.state !== undefined ? `No task is ${options.state}.` : shown.length === 0 ? 'No tasks. Drop a Markdown file into tasks/, or run `cambium task add "<title>"`.' : colored(rows);
    return { data: { tasks: shown.map(summary), quarantine: session.fleet.quarantine, stale: session.stale }, text: [text, ...quarantineText(session.fleet.quarantine), ...staleText(session)].join('\n') };
  });
}

export function readyCommand(): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const { ready } = orient(session.fleet, session.clone.clock.now().toISOString());
    const text = ready.length === 0 ? 'Nothing is ready.' : table(ready.map(({ task }) => [task.id, `P${task.priority}`, clip(task.title, 60)]));
    return { data: { tasks: ready.map(summary), stale: session.stale }, text: [text, ...staleText(session)].join('\n') };
  });
}

export function showCommand(id: string): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const { clone, fleet } = session;
    const situation = orient(fleet, clone.clock.now().toISOString()).tasks.get(id);
    if (situation === undefined) throw unknownTask(session, id);
    const history = situation.chain === undefined ? [] : await chainHistory(clone.store, clone.reader, situation.chain.tip);
    const result = await fileAt(clone.store, fleet.main.tree, resultPath(situation.task.path));
    const { instructionText } = await import('../observe/taskFile.ts');
    const instruction = instructionText(await clone.store.readBlob(situation.task.blob));
    const chain = history.map(({ tip, record, at }) => ({ commit: tip, kind: record.kind, epoch: record.epoch, attempt: record.attempt, agent: record.agent, node: record.node, at: new Date(at * 1000).toISOString(), reason: record.reason ?? null, result: record.result ?? null }));
    const resultText = result === null ? null : Buffer.from(result.bytes).toString('utf8');
    const text = [
      `${paint(id, 1)}  ${situation.task.title}`, `${situation.state}${situation.reasons.length === 0 ? '' : `: ${situation.reasons.join('. ')}`}`, `${situation.task.path} · priority ${situation.task.priority}`,
      ...(chain.length === 0 ? [] : ['', 'Claim chain, newest first:', table(chain.map(({ commit, kind, epoch, agent, node, at, reason }) => [`  ${commit.slice(0, 8)}`, kind, `epoch ${epoch}`, `${agent ?? ''}${node === null ? '' : ` on ${node}`}`, at, reason ?? '']))]),
      '', plain(instruction.trim()), ...(resultText === null ? [] : ['', `--- ${resultPath(situation.task.path)} ---`, plain(resultText.trim())]),
    ].join('\n');
    return { data: { ...summary(situation), instruction, chain, result: situation.result ?? null, result_text: resultText, extra: situation.task.extra, stale: session.stale }, text };
  });
}

export function summary({ task, state, reasons, chain, result }: TaskSituation): Record<string, unknown> {
  const held = state === 'held' || state === 'review' || state === 'input';
  return {
    id: task.id, title: task.title, state, priority: task.priority, path: task.path, reasons,
    assigned_to: task.assignedTo ?? null, depends_on: task.dependsOn, labels: task.labels,
    agent: held ? (chain?.record.agent ?? null) : (result?.agent ?? null), node: held ? (chain?.record.node ?? null) : (result?.node ?? null),
    epoch: chain?.record.epoch ?? result?.epoch ?? 0, attempt: chain?.record.attempt ?? result?.attempts ?? 0,
  };
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

export function staleText({ stale }: Session): string[] {
  return stale === null ? [] : ['', `The hub could not be asked, so this is what the clone last saw: ${stale}`];
}

function clip(text: string, most: number): string {
  const line = plain(text).replace(/\s+/g, ' ');
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`;
}
