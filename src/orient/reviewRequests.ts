/** Finished work that an agent is to judge, and what that agent is told: once, and once more when it said nothing. Pure. */
import type { Chain } from '../model/claim.ts';
import { chainState } from '../model/claim.ts';
import { fnv1a } from '../model/hash.ts';
import type { AgentId } from '../model/ids.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Conversation } from '../model/talk.ts';
import type { Task } from '../model/task.ts';
import { reviewerOf } from './reviewer.ts';

export interface ReviewRequest {
  readonly task: Task;
  readonly reviewer: AgentId;
  /** Of the message: the same on every node, so that there is one. */
  readonly id: string;
  readonly text: string;
}

/** Said once more to a reviewer that ended without a judgement; then it is for people, and status says so. */
const TIMES_MAX = 2;

export function reviewRequests(fleet: Fleet, conversations: readonly Conversation[]): readonly ReviewRequest[] {
  const waiting = [...fleet.chains].filter(([id, chain]) => chainState(chain) === 'review' && fleet.tasks.has(id) && !fleet.results.has(id));
  return waiting.flatMap(([id, chain]) => requestFor(fleet, fleet.tasks.get(id) as Task, chain, conversations) ?? []);
}

function requestFor({ config }: Fleet, task: Task, chain: Chain, conversations: readonly Conversation[]): ReviewRequest | null {
  const reviewer = reviewerOf(config, task.review, chain.record);
  if (!('agent' in reviewer) || config.agents[reviewer.agent]?.provider === 'runbook' || !Object.hasOwn(config.agents, reviewer.agent)) return null;
  const inbox = conversations.find(({ place }) => 'inbox' in place && place.inbox === reviewer.agent)?.messages ?? [];
  const settled = new Set(inbox.flatMap(({ answers }) => answers));
  for (let time = 1; time <= TIMES_MAX; time++) {
    const id = messageId(task.id, chain.record.epoch, String(chain.record.commit), time);
    if (!inbox.some((message) => message.id === id)) return { task, reviewer: reviewer.agent, id, text: textOf(task, chain, time) };
    if (!settled.has(id)) return null;
  }
  return null;
}

/** At most 64 characters, whatever the task is called. */
function messageId(task: string, epoch: number, commit: string, time: number): string {
  return `review-${fnv1a(`${task} ${commit}`).toString(16).padStart(8, '0')}-${epoch}-${time}`;
}

function textOf(task: Task, { record }: Chain, time: number): string {
  const commit = String(record.commit);
  return [
    `${time > 1 ? 'You ended without a judgement. ' : ''}Judge the finished work of the task \`${task.id}\` (${task.title}), done by ${record.agent ?? '?'} and handed in as commit ${commit}.`,
    '',
    `- Read the task: \`cambium show ${task.id}\`. See what was changed: \`git show --stat ${commit}\` and \`git diff ${commit}^1 ${commit}\`.`,
    `- Try it: \`git worktree add --detach /tmp/review-${commit.slice(0, 10)} ${commit}\` (remove it afterwards), and run what the task asks for there. Believe no claim that you have not checked.`,
    ...(task.acceptanceCriteria.length === 0 ? [] : ['- Each of these must hold:', ...task.acceptanceCriteria.map((text) => `  - ${text}`)]),
    '',
    'Then give exactly one judgement:',
    '',
    `    cambium task approve ${task.id} --commit ${commit}`,
    `    cambium task reject ${task.id} --commit ${commit} --why "what is wrong, and what would be right"`,
    '',
    'Change nothing yourself. Your final message says in a few lines what you checked and what you found.',
  ].join('\n');
}
