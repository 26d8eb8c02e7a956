/** Asking a fleet for work in one sentence: the coordinator cuts it into tasks, and the person sees how they stand. */
import { CambiumError } from '../errors.ts';
import { requestsAmong } from '../model/talk.ts';
import type { Message } from '../model/talk.ts';
import { agentNamed } from '../orient/agents.ts';
import { coordinatorOf, orientRequests } from '../orient/requests.ts';
import type { Request, RequestState } from '../orient/requests.ts';
import { readTalk } from './channels.ts';
import { writeMessage } from './messages.ts';
import type { SentMessage } from './messages.ts';
import { situationNow, summary } from './queue.ts';
import type { TaskSummary } from './queue.ts';
import type { Session } from './session.ts';

export interface AskedRequest extends SentMessage {
  /** The agent that is asked. */
  readonly agent: string;
}

/** The request is on the hub when this resolves. Throws `usage` for an agent that cannot answer, or none; `refused` for an agent that asks. */
export async function askRequest(session: Session, text: string, to?: string): Promise<AskedRequest> {
  if (session.agent !== undefined) throw new CambiumError('refused', `A request is a person's, and ${session.agent} is an agent.`, { hint: 'An agent hands work on with `cambium task add`, or with task files in its worktree.' });
  const agent = to ?? coordinatorOf(session.fleet);
  if (agent === null) throw new CambiumError('usage', 'No agent of cambium.yaml has the role coordinator.', { hint: 'Add one under `agents:`, as `lead: { role: coordinator, provider: claude }`, or name an agent with `--to`.' });
  if (!Object.hasOwn(session.fleet.config.agents, agent)) throw new CambiumError('usage', `cambium.yaml names no agent ${agent}.`, { hint: `There is ${Object.keys(session.fleet.config.agents).join(', ') || 'none yet'}.` });
  if (agentNamed(session.fleet.config, agent).provider === 'runbook') throw new CambiumError('usage', `${agent} runs runbooks only, and answers nobody.`, { hint: 'A coordinator needs an agent CLI, or a command of your own, for its provider.' });
  const sent = await writeMessage(session, undefined, text, { to: agent, request: true });
  return { ...sent, agent };
}

export interface RequestSummary {
  readonly id: string;
  readonly agent: string;
  readonly from: string;
  /** UTC ISO time. */
  readonly at: string;
  readonly text: string;
  readonly state: RequestState;
  readonly reason: string | null;
  /** How often the coordinator was told how its tasks stand. */
  readonly rounds: number;
  readonly tasks: readonly TaskSummary[];
  /** What the coordinator has said, oldest first. */
  readonly words: readonly Pick<Message, 'id' | 'from' | 'at' | 'kind' | 'text'>[];
}

/** Newest first. */
export async function listRequests(session: Session): Promise<readonly RequestSummary[]> {
  const { conversations } = await readTalk(session);
  if (conversations.every(({ messages }) => requestsAmong(messages).size === 0)) return [];
  return orientRequests(session.fleet, situationNow(session), conversations).map(summaryOf).toReversed();
}

function summaryOf({ message, agent, state, reason, told, tasks, words }: Request): RequestSummary {
  return {
    id: message.id, agent, from: message.from, at: message.at, text: message.text.trim(), state, reason, rounds: told, tasks: tasks.map(summary),
    words: words.map(({ id, from, at, kind, text }) => ({ id, from, at, kind, text: text.trim() })),
  };
}

export const isOpenRequest = ({ state }: Pick<RequestSummary, 'state'>): boolean => state === 'asked' || state === 'working' || state === 'reporting';

/** What has happened to a request since it was last looked at, in sentences. Pure. */
export function requestNews(before: RequestSummary | null, now: RequestSummary): readonly string[] {
  const words = now.words.slice(before?.words.length ?? 0).map(({ text }) => `${now.agent}: ${text}`);
  const seen = new Map((before?.tasks ?? []).map((task) => [task.id, task]));
  const tasks = now.tasks.flatMap((task) => taskNews(seen.get(task.id), task));
  return [...words, ...tasks];
}

/** In the order in which it happened: added, claimed, and what came of it. */
function taskNews(before: TaskSummary | undefined, now: TaskSummary): readonly string[] {
  const who = now.agent === null ? '' : ` by ${now.agent}${now.node === null ? '' : ` on ${now.node}`}`;
  const added = before === undefined ? [`${now.id}: added (${now.title})`] : [];
  const isSame = before !== undefined && before.state === now.state && before.epoch === now.epoch;
  if (isSame || now.state === 'ready' || now.state === 'waiting') return added;
  // What waits for another task says nothing new; what is stuck is told with the end.
  if (now.state === 'blocked') return added;
  const isClaimed = now.state !== 'cancelled' && now.epoch > (before?.epoch ?? 0);
  const claimed = isClaimed ? [`${now.id}: claimed${who}`] : [];
  const came = now.state === 'held' ? [] : [`${now.id}: ${now.state}${who}${now.state === 'input' && now.reasons[0] !== undefined ? `: ${now.reasons[0]}` : ''}`];
  return [...added, ...claimed, ...came];
}
