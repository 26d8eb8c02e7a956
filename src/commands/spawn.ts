/** `cambium spawn list|show|health|cleanup|stop`: seeing agents at work, and ending them. */
import { CambiumError } from '../errors.ts';
import { daemonRuns, withSession } from '../workspace/session.ts';
import type { Session } from '../workspace/session.ts';
import { cleanSpawns } from '../workspace/cleanSpawns.ts';
import type { CleanedSpawns } from '../workspace/cleanSpawns.ts';
import { spawnDetail } from '../workspace/spawnDetail.ts';
import type { SpawnDetail } from '../workspace/spawnDetail.ts';
import { daemonNode, listSpawns } from '../workspace/spawns.ts';
import type { SeenSpawn } from '../workspace/spawns.ts';
import { stopSpawn } from '../workspace/stopSpawn.ts';
import { plain, printable } from '../workspace/plain.ts';
import { paint } from './output.ts';
import type { Answer } from './output.ts';
import { spawnData } from './spawnData.ts';
import { clipped, costOf, count, eventLine, fitTable, hintId, lasting, madeBy, paintState, shortIds, since, stateText, subjectOf, terminalWidth, tookMs, usageText, wrapped } from './spawnText.ts';
import { staleText } from './taskShow.ts';

export interface ListOptions {
  readonly agent?: string | undefined;
  readonly task?: string | undefined;
  readonly channel?: string | undefined;
  readonly live?: boolean | undefined;
  readonly since?: string | undefined;
  readonly limit: number;
}

/** A time, or how long ago it was (`30m`, `12h`, `7d`), as UTC ISO. Throws `usage`. */
export function sinceTime(text: string, now: Date): string {
  const ago = /^(\d+(?:\.\d+)?)(s|m|h|d|w)$/.exec(text);
  const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }[(ago?.[2] ?? 's') as 's' | 'm' | 'h' | 'd' | 'w'];
  const ms = ago === null ? Date.parse(/^\d{4}-\d{2}/.test(text) ? text : '') : now.getTime() - Number(ago[1]) * unitMs;
  if (Number.isNaN(ms) || Math.abs(ms) > 8.64e15) throw new CambiumError('usage', `${text} is no time.`, { hint: 'Write how long ago (30m, 12h, 7d) or a date: 2026-11-21, 2026-11-21T10:00:00Z.' });
  return new Date(ms).toISOString();
}

export function listCommand(options: ListOptions): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const query = { ...options, since: options.since === undefined ? undefined : sinceTime(options.since, session.clone.clock.now()) };
    const { spawns, cut, unread } = await listSpawns(session, query);
    const text = spawns.length === 0 ? nothingText(options) : listText(session, spawns, await daemonNode(session));
    const notes = [...(cut ? [paint(`… and older ones: \`-n ${options.limit * 5}\``, 2)] : []), ...unreadText(unread), ...staleText(session)];
    return { data: { spawns: spawns.map(spawnData), cut, unread, stale: session.stale }, text: [text, ...notes].join('\n') };
  });
}

function nothingText({ live, agent, task, channel, since: from }: ListOptions): string {
  if (live === true) return 'No agent is at work.';
  return [agent, task, channel, from].some((filter) => filter !== undefined) ? 'No spawn fits.' : 'No agent has run yet. Add a task and start the daemon: `cambium up`.';
}

export function unreadText(unread: readonly string[]): readonly string[] {
  return unread.length === 0 ? [] : [`${unread.length} file${unread.length === 1 ? '' : 's'} in agents/spawns/ ${unread.length === 1 ? 'is no record' : 'are no records'}, ${plain(unread[0] ?? '')} among them: see \`cambium check\`.`];
}

/** `cambium spawn list`, and the spawns under way of `cambium status`. */
export function listText({ clone }: Session, spawns: readonly SeenSpawn[], self: string, width = terminalWidth()): string {
  const nowMs = clone.clock.now().getTime();
  const short = shortIds(spawns.map(({ id }) => id));
  const rows = spawns.map((spawn) => {
    const took = tookMs(spawn, nowMs);
    const age = Date.parse(spawn.start ?? '');
    return [
      short.get(spawn.id) ?? spawn.id, stateText(spawn), `${printable(spawn.agent ?? '')}${spawn.node === null || spawn.node === self ? '' : `@${plain(spawn.node)}`}`, subjectOf(spawn), madeBy(spawn),
      Number.isNaN(age) ? '' : since(nowMs - age), took === null ? '' : lasting(took), costOf(spawn),
    ];
  });
  return fitTable([
    { head: 'ID' }, { head: 'STATE', least: 10, paint: (text, row) => paintState(spawns[row] as SeenSpawn, text) }, { head: 'AGENT', least: 10 }, { head: 'FOR', least: 12 }, { head: 'BY', least: 10, spare: 2 },
    { head: 'AGE', right: true, spare: 1 }, { head: 'TOOK', right: true }, { head: 'COST', right: true },
  ], rows, width);
}

export function showCommand(ref: string): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const detail = await spawnDetail(session, ref);
    const { spawn, children, place, report } = detail;
    return { data: { ...spawnData(spawn), children: children.map(({ id }) => id), place: place === null ? null : placeData(place), report, stale: session.stale }, text: [...detailText(session, detail), ...staleText(session)].join('\n') };
  });
}

function placeData({ limits, stopAsked, ...place }: NonNullable<SpawnDetail['place']>): Readonly<Record<string, unknown>> {
  return { ...place, limits: { timeout_ms: limits.timeoutMs, silence_ms: limits.silenceMs }, stop_asked: stopAsked };
}

const REPORT_LINES = 12;

function detailText({ clone }: Session, { spawn, children, place, report }: SpawnDetail): readonly string[] {
  const nowMs = clone.clock.now().getTime();
  const took = tookMs(spawn, nowMs);
  const fact = (name: string, value: string | null): readonly string[] => (value === null || value === '' ? [] : [`${paint(name.padEnd(10), 2)} ${value}`]);
  const at = (time: string): string => plain(time.slice(0, 19).replace('T', ' '));
  const claim = [spawn.epoch === null || spawn.epoch === 0 ? null : `epoch ${spawn.epoch}`, spawn.attempt === null || spawn.attempt === 0 ? null : `attempt ${spawn.attempt}`].filter((part) => part !== null).join(', ');
  const by = madeBy(spawn);
  return [
    `${paint(spawn.id, 1)}  ${paintState(spawn, stateText(spawn))}`,
    ...fact('agent', spawn.agent === null ? null : `${printable(spawn.agent)} on ${plain(spawn.node ?? '?')}`),
    ...fact('for', subjectOf(spawn) === '?' ? null : `${spawn.purpose === 'task' ? 'task ' : ''}${subjectOf(spawn)}${claim === '' ? '' : ` (${claim})`}`),
    ...fact('messages', spawn.messages.length === 0 ? null : spawn.messages.map(plain).join(', ')),
    ...fact('by', by === '' ? null : `${by}${spawn.providerVersion === null ? '' : ` (version ${plain(spawn.providerVersion)})`}`),
    ...fact('session', spawn.session === null ? null : printable(spawn.session)),
    ...fact('time', spawn.start === null ? null : `${at(spawn.start)} UTC${spawn.end === null ? '' : ` → ${at(spawn.end).slice(spawn.end.startsWith(spawn.start.slice(0, 10)) ? 11 : 0)}`}${took === null ? '' : `, ${lasting(took)}${spawn.end === null ? ' so far' : ''}`}`),
    ...fact('usage', spawn.provider === null ? null : usageText(spawn.usage, spawn.costUsd)),
    ...fact('parent', spawn.parent === null ? (spawn.purpose === 'task' || spawn.purpose === 'message' ? 'none: a person or the queue began it' : null) : `${plain(spawn.parent)} (depth ${spawn.depth})`),
    ...fact('children', children.length === 0 ? null : children.map((child) => `${child.id} ${printable(child.agent ?? '?')} ${stateText(child)}`).join(`\n${' '.repeat(11)}`)),
    ...(place === null ? [] : placeText(spawn, place, fact)),
    ...fact('last', spawn.last === null ? null : `${clipped(eventLine(spawn.last), Math.max(20, Math.min(terminalWidth(), 160) - 24))}${spawn.quietMs === null ? '' : ` (${lasting(spawn.quietMs)} ago)`}`),
    ...(spawn.sickness === null ? [] : [...fact('sick', paint(`${plain(spawn.sickness.why)}.`, 33)), ...fact('', `→ ${plain(spawn.sickness.action)}`)]),
    ...fact('ended', endText(spawn)),
    ...fact('log', spawn.here ? `cambium spawn logs ${hintId(spawn.id)}${spawn.state === 'ended' ? '' : ' -f'}` : spawn.node === null ? 'not on this machine' : `stays on ${plain(spawn.node)}, where it ran`),
    ...reportText(report),
  ];
}

function placeText({ state }: SeenSpawn, { folder, files, supervisor, agent, processes, limits, stopAsked }: NonNullable<SpawnDetail['place']>, fact: (name: string, value: string | null) => readonly string[]): readonly string[] {
  const limit = [limits.timeoutMs === null ? null : `${lasting(limits.timeoutMs).replace(/00[sm]$/, '')} in all`, limits.silenceMs === null ? null : `${lasting(limits.silenceMs).replace(/00[sm]$/, '')} of silence`].filter((part) => part !== null).join(', ');
  const pids = [supervisor === null ? 'no supervisor on record' : `supervisor ${supervisor.pid}`, agent === null ? null : `agent ${agent.pid}`].filter((part) => part !== null).join(', ');
  return [
    ...fact('limits', state === 'ended' || limit === '' ? null : limit),
    ...fact('processes', `${pids}; ${processes} alive${supervisor === null ? '' : paint(` (boot ${supervisor.boot_id.slice(0, 8)}, started at tick ${supervisor.start})`, 2)}${stopAsked && state !== 'ended' ? '; its end is asked for' : ''}`),
    ...fact('folder', plain(folder)),
    ...fact('files', wrapped(files.map(({ name, bytes }) => `${plain(name)} ${bytes < 1_000 ? `${bytes} B` : `${count(bytes)}B`}`), 11, terminalWidth())),
  ];
}

function endText({ state, outcome, failure, exited }: SeenSpawn): string | null {
  if (state !== 'ended') return null;
  const WHY: Readonly<Record<string, string>> = {
    succeeded: 'by itself, and well', stopped: 'on request', fenced: 'by its supervisor: the claim was no longer its node\'s', lost: 'nobody saw how: its supervisor was gone without a record',
  };
  const FAILURES: Readonly<Record<string, string>> = {
    auth: 'its credentials were missing or refused', rate_limit: 'its provider\'s limit was reached', overloaded: 'its provider was overloaded', refused: 'no connection, or an answer that cannot be used', denied: 'it lacked a permission',
    hung: 'it said nothing for too long', timeout: 'it ran for too long', crashed: 'it ended with an error', empty: 'it ended without having said or done anything',
  };
  if (outcome === null) return `its process: ${printable(exited ?? '?')}; not judged yet`;
  return failure === null ? (WHY[outcome] ?? printable(outcome)) : `${printable(outcome)}: ${FAILURES[failure] ?? printable(failure)}`;
}

function reportText(report: string | null): readonly string[] {
  if (report === null || report.trim() === '') return [];
  const lines = printable(report.trim()).split('\n');
  return ['', ...lines.slice(0, REPORT_LINES), ...(lines.length > REPORT_LINES ? [paint(`… ${lines.length - REPORT_LINES} more lines`, 2)] : [])];
}

/** Exit 1 when any is sick. */
export function healthCommand(): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const { spawns } = await listSpawns(session, { live: true, limit: Infinity });
    const sick = spawns.filter(({ sickness }) => sickness !== null);
    const short = shortIds(spawns.map(({ id }) => id));
    const daemon = await daemonRuns(session.clone);
    const self = await daemonNode(session);
    const rows = spawns.map((spawn) => [short.get(spawn.id) ?? spawn.id, `${printable(spawn.agent ?? '?')}${spawn.here || spawn.node === null || spawn.node === self ? '' : `@${plain(spawn.node)}`}`, subjectOf(spawn), spawn.sickness?.rule ?? spawn.state, spawn.quietMs === null ? '' : lasting(spawn.quietMs)]);
    const table = fitTable([{ head: 'ID' }, { head: 'AGENT', least: 10 }, { head: 'FOR', least: 12 }, { head: 'HEALTH', paint: (text, row) => paint(text, spawns[row]?.sickness === null ? 32 : 31) }, { head: 'QUIET FOR', right: true }], rows, terminalWidth());
    const told = sick.flatMap((spawn) => ['', `${paint('✗', 31)} ${short.get(spawn.id)} ${paint(spawn.sickness?.rule ?? '', 31)}: ${plain(spawn.sickness?.why ?? '')}.`, `  → ${plain(spawn.sickness?.action ?? '')}`]);
    const lines = spawns.length === 0 ? [] : [table, ...told];
    const summary = spawns.length === 0 ? 'No agent is at work.' : sick.length === 0 ? `All ${spawns.length === 1 ? 'one is' : `${spawns.length} are`} well.` : `${sick.length} of ${spawns.length} ${sick.length === 1 ? 'is' : 'are'} sick.`;
    const note = !daemon && spawns.some(({ keeper }) => keeper === 'next daemon') ? ['Note: no daemon runs here, so nobody takes up what ends: `cambium up`.'] : [];
    return { data: { healthy: sick.length === 0, daemon, spawns: spawns.map(spawnData), stale: session.stale }, text: [...lines, ...(lines.length === 0 ? [] : ['']), summary, ...note, ...staleText(session)].join('\n'), exit: sick.length === 0 ? 0 : 1 };
  });
}

export interface CleanupOptions {
  readonly keepDays?: number | undefined;
  readonly unrecorded?: boolean | undefined;
}

export function cleanupCommand(options: CleanupOptions): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const { keepDays, ...cleaned } = await cleanSpawns(session, options);
    return { data: { ...cleaned, keep_days: keepDays }, text: cleanedText({ ...cleaned, keepDays }) };
  });
}

function cleanedText({ marked, awaited, removed, unrecorded, keepDays }: CleanedSpawns): string {
  const orphans = (spawns: number): string => (spawns === 0 ? 'nothing of it was left running' : `${spawns} process${spawns === 1 ? '' : 'es'} that it had left running ${spawns === 1 ? 'was' : 'were'} ended`);
  const lines = [
    ...marked.map(({ id, orphans: count_ }) => `${id} is marked as lost: ${orphans(count_)}.`),
    ...awaited.map(({ id, orphans: count_, action }) => `${id} is dead: ${orphans(count_)}. ${plain(action.replace(/; `cambium spawn cleanup`.*$/, '.'))}`),
    ...(removed.length === 0 ? [] : [`${removed.length} folder${removed.length === 1 ? '' : 's'} of spawns that ended more than ${keepDays} days ago ${removed.length === 1 ? 'is' : 'are'} removed.`]),
    ...(unrecorded.length === 0 ? [] : [`${unrecorded.length} ended spawn${unrecorded.length === 1 ? '' : 's'} that no record tells of ${unrecorded.length === 1 ? 'keeps its folder' : 'keep their folders'}: \`--unrecorded\` removes them too.`]),
  ];
  return lines.length === 0 ? `All is in order: nothing is dead, and nothing ended more than ${keepDays} days ago.` : lines.join('\n');
}

/** Exit 3 where it had ended before. */
export function stopCommand(ref: string, { why }: { readonly why?: string | undefined }): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const data = await stopSpawn(session, ref, why);
    const left = data.left === 0 ? 'none of its processes is left' : `${data.left} of its processes could not be ended: they are another user's`;
    return { data, text: data.stopped ? `${data.id} is stopped: ${left}.\n${plain(data.next)}` : `${data.id}: ${plain(data.next)}`, exit: data.stopped ? 0 : 3 };
  });
}
