/** `cambium status`: is all well, what runs, what is stuck and why, what is next. */
import { UNLIMITED } from '../model/limits.ts';
import { limitNotes } from '../orient/limitNotes.ts';
import { orient } from '../orient/situation.ts';
import type { TaskSituation, TaskState } from '../orient/situation.ts';
import { paint, table } from './output.ts';
import { plain } from '../workspace/plain.ts';
import type { Answer } from './output.ts';
import { daemonRuns, withSession } from '../workspace/session.ts';
import type { Session } from '../workspace/session.ts';
import { summary } from '../workspace/queue.ts';
import { quarantineText, staleText } from './taskShow.ts';
import { readOutbox } from '../act/outbox.ts';
import type { Quarantined } from '../model/task.ts';
import { versionNote } from '../model/version.ts';
import { listSpawns } from '../workspace/spawns.ts';
import type { SeenSpawn } from '../workspace/spawns.ts';
import { atWorkText } from './atWork.ts';
import { spawnData } from './spawnData.ts';
import { clipped, terminalWidth } from './spawnText.ts';
import { placeName } from '../model/talk.ts';
import { readTalk, saidToPeople } from '../workspace/channels.ts';
import { listRequests } from '../workspace/requests.ts';
import type { RequestSummary } from '../workspace/requests.ts';

interface DaemonRecord {
  readonly node: string;
  readonly agents: readonly string[];
  readonly offline: string | null;
  readonly blocked: string | null;
  readonly notes: readonly string[];
  readonly held: readonly Quarantined[];
  readonly skipped: readonly (readonly [string, string])[];
  readonly parked: readonly (readonly [string, string])[];
}

export function statusCommand(): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const { clone, fleet } = session;
    const { tasks, ready } = orient(fleet, clone.clock.now().toISOString());
    const running = await daemonRuns(clone);
    const daemon = running ? ((await clone.local.read('daemon')) as DaemonRecord | null | undefined) ?? null : null;
    const unanswered = (await readOutbox(session.node)).length;
    const of = (...states: TaskState[]): TaskSituation[] => [...tasks.values()].filter(({ state }) => states.includes(state));
    const counts = Object.fromEntries((['ready', 'held', 'waiting', 'input', 'review', 'blocked', 'done', 'failed', 'cancelled'] as const).map((state) => [state, of(state).length]));
    const nodes = [...fleet.nodes].map(([node, { heartbeat }]) => ({ node, version: heartbeat?.record.version ?? null, beat: heartbeat?.record.seq ?? null, claims: heartbeat?.record.claims.length ?? 0 }));
    const limits = limitNotes({ ...UNLIMITED, ...fleet }, clone.clock.now().toISOString());
    const { spawns } = await listSpawns(session, { live: true, limit: Infinity });
    const said = saidToPeople(await readTalk(session)).map(({ place, message }) => ({ place: placeName(place), from: message.from, at: message.at, text: message.text.trim() }));
    const requests = (await listRequests(session)).filter(({ state }) => state !== 'done');
    const data = {
      hub: { url: clone.hub.url, embedded: clone.remote === null, branch: clone.branch, main: fleet.main.commit }, node: session.node.identity.node,
      daemon: daemon ?? (running ? {} : null), counts, running: of('held').map(summary), problems: of('input', 'review', 'failed', 'blocked').map(summary), ready: ready.map(({ task }) => task.id),
      spawns: spawns.map(spawnData), limits: { stop: fleet.stop, parks: fleet.parks, notes: limits }, nodes, said, requests: requests.map(({ id, agent, state, reason, text, tasks }) => ({ id, agent, state, reason, text, tasks: tasks.map((task) => ({ id: task.id, state: task.state })) })), quarantine: fleet.quarantine, outbox: unanswered, stale: session.stale,
    };
    return { data, text: statusText(session, data.counts, daemon, running, of, ready, nodes, unanswered, spawns, limits, said, requests) };
  });
}

function statusText(session: Session, counts: Readonly<Record<string, number>>, daemon: DaemonRecord | null, running: boolean, of: (...states: TaskState[]) => TaskSituation[], ready: readonly TaskSituation[], nodes: readonly { readonly node: string; readonly version: string | null; readonly beat: number | null; readonly claims: number }[], unanswered: number, spawns: readonly SeenSpawn[], limits: readonly string[], said: readonly { readonly place: string; readonly from: string; readonly text: string }[], requests: readonly RequestSummary[]): string {
  const { clone, fleet } = session;
  const hub = clone.remote === null ? 'embedded hub' : clone.hub.url;
  // What a person keeps back as a whole is said once, above.
  const kept = fleet.stop.fleet === null ? of('waiting').filter(({ limited, due }) => limited === true && due === undefined) : [];
  const stuck = [...of('input', 'review', 'failed', 'blocked'), ...kept];
  const lines = [
    `${paint('cambium', 1)} ${clone.version} · ${hub} · ${clone.branch} @ ${fleet.main.commit.slice(0, 8)} · daemon ${running ? `running as ${daemon?.node ?? session.node.identity.node}` : 'not running (`cambium up`)'}`,
    Object.entries(counts).filter(([, count]) => count > 0).map(([state, count]) => `${count} ${state}`).join(' · ') || 'no tasks yet: drop a Markdown file into tasks/',
  ];
  if (limits.length > 0) lines.push('', paint('Kept back', 1), ...limits.map((note) => `  ${plain(note)}`));
  const held = of('held');
  if (held.length > 0) lines.push('', paint('Running', 1), table(held.map(({ task, chain }) => [`  ${task.id}`, `${chain?.record.agent ?? '?'} on ${chain?.record.node ?? '?'}`, `epoch ${chain?.record.epoch}`, `attempt ${chain?.record.attempt}`, `since ${(chain?.record.claimed_at ?? '').slice(11, 19)}Z`])));
  if (spawns.length > 0) lines.push('', paint('At work', 1), atWorkText(spawns, { self: daemon?.node ?? session.node.identity.node, nowMs: clone.clock.now().getTime(), width: terminalWidth() }));
  if (stuck.length > 0) lines.push('', paint('Needs somebody', 1), ...stuck.flatMap((task) => [`  ${task.task.id}  ${task.state}${task.reasons[0] === undefined ? '' : `: ${plain(task.reasons[0])}`}`, ...(mendOf(task) === null ? [] : [`    → ${mendOf(task)}`])]));
  if (said.length > 0) lines.push('', paint('Said to you', 1), ...said.map(({ place, from, text }) => `  ${plain(place)}  ${plain(from.replace(/^agent:/, ''))}: ${clipped(plain(text.replace(/\s+/g, ' ')), terminalWidth() - 4)}`));
  if (requests.length > 0) lines.push('', paint('Requests', 1), ...requests.map(requestLine));
  if (ready.length > 0) lines.push('', `${paint('Next', 1)}  ${ready.slice(0, 5).map(({ task }) => task.id).join(', ')}${ready.length > 5 ? `, and ${ready.length - 5} more` : ''}`);
  if (nodes.length > 0) lines.push('', paint('Nodes', 1), table(nodes.map(({ node, version, beat, claims }) => [`  ${node}`, beat === null ? 'no heartbeat' : `beat ${beat}`, `${claims} claim${claims === 1 ? '' : 's'}`, plain(versionNote(version, clone.version, node === session.node.identity.node) ?? '')])));
  const notes = [
    ...(daemon?.offline === undefined || daemon.offline === null ? [] : [`The hub is away: ${daemon.offline}`]),
    ...(daemon?.blocked === undefined || daemon.blocked === null ? [] : [`Your checkout is left alone: ${daemon.blocked}`]),
    ...(daemon?.notes ?? []), ...(daemon?.skipped ?? []).map(([path, reason]) => `${path} is left as it is: ${reason}`),
    ...(unanswered === 0 ? [] : [`${unanswered} push${unanswered === 1 ? '' : 'es'} without an answer yet`]),
  ];
  if (notes.length > 0) lines.push('', ...notes.map((note) => `Note: ${plain(note)}`));
  return [...lines, ...quarantineText([...fleet.quarantine, ...(daemon?.held ?? [])]), ...staleText(session)].join('\n');
}

function requestLine({ id, agent, state, text, tasks }: RequestSummary): string {
  const ended = tasks.filter((task) => ['done', 'failed', 'cancelled'].includes(task.state)).length;
  return clipped(plain(`  ${id.slice(-8)}  ${agent}: ${state}${tasks.length === 0 ? '' : `, ${ended} of ${tasks.length} tasks ended`} · ${text.replace(/\s+/g, ' ')}`), terminalWidth());
}

function mendOf({ task, state, reasons }: TaskSituation): string | null {
  if (reasons[1] !== undefined) return plain(reasons[1]);
  return state === 'failed' ? `Read ${task.path.replace(/\.md$/, '.result.md')}, then \`cambium task retry ${task.id}\`.` : null;
}
