/** `cambium prompt`: what an agent would be told if it were started now, put together by the functions that start it. */
import { join } from 'node:path';
import { answerSubject } from '../act/answer/start.ts';
import { assemblePrompt } from '../act/prompt/assemble.ts';
import { toldTo } from '../act/prompt/told.ts';
import type { ToldDesk } from '../act/prompt/told.ts';
import { createProjectDesk } from '../act/project/site.ts';
import { contextSource } from '../act/project/work.ts';
import { readTexts } from '../act/run/context.ts';
import type { Source } from '../act/run/context.ts';
import { feedbackAfter } from '../act/run/feedback.ts';
import { promptSubject } from '../act/run/request.ts';
import type { RequestDesk, ToldRun } from '../act/run/request.ts';
import { RESULT_FILE } from '../act/run/workshop.ts';
import { shippedFile } from '../adapters/system/version.ts';
import { CambiumError } from '../errors.ts';
import { answerRecordKey, answerWorktree } from '../model/answer.ts';
import type { Answer } from '../model/answer.ts';
import { nextAttempt } from '../model/claim.ts';
import { isId } from '../model/ids.ts';
import { WORKSPACE } from '../model/layout.ts';
import type { Prompt, PromptPartSize, PromptSubject } from '../model/prompt.ts';
import type { Run } from '../model/run.ts';
import type { LocalAgent } from '../model/snapshot.ts';
import { placeFolder, wakeKey } from '../model/talk.ts';
import type { Task } from '../model/task.ts';
import { agentNamed } from '../orient/agents.ts';
import { misfit } from '../orient/fit.ts';
import type { TaskSituation } from '../orient/situation.ts';
import { readTalk, wakesAmong } from './channels.ts';
import { situationNow } from './queue.ts';
import { agentOf, daemonRuns, unknownTask } from './session.ts';
import type { Session } from './session.ts';

/** Stands for the id of a spawn that there is not yet, in paths that hold it; everything else is as it would be sent. */
export const SPAWN_PLACEHOLDER = '<spawn>';

export interface PromptQuery {
  readonly agent?: string | undefined;
  /** The most urgent that fits when unsaid. */
  readonly task?: string | undefined;
  /** What calls for the agent in this channel, instead of a task. */
  readonly channel?: string | undefined;
}

export interface ShownPrompt {
  readonly agent: string;
  readonly role: string;
  readonly purpose: 'task' | 'message';
  readonly task: string | null;
  readonly epoch: number;
  readonly attempt: number;
  readonly channel: string | null;
  /** Ids of the messages to be answered. */
  readonly messages: readonly string[];
  readonly prompt: string;
  /** Estimated, four characters a token. */
  readonly tokens: number;
  readonly budget_tokens: number;
  readonly parts: readonly PromptPartSize[];
  /** What keeps it from being sent just now, or from being read, in sentences. */
  readonly notes: readonly string[];
}

/** Throws `usage`, `unknown-task`, `refused` for an ended task, `nothing-ready`, and what opening a project throws. */
export async function showPrompt(session: Session, { agent: asked, task, channel }: PromptQuery): Promise<ShownPrompt> {
  if (task !== undefined && channel !== undefined) throw new CambiumError('usage', 'A prompt is for a task or for a channel.', { hint: 'Give `--task` or `--channel`, not both.' });
  const agent = agentNamed(session.fleet.config, agentOf(session, asked));
  const desk = await deskOf(session);
  const named = Object.hasOwn(session.fleet.config.agents, agent.id) ? [] : [`cambium.yaml names no agent ${agent.id}: it is taken for a worker with the fleet's defaults.`];
  return channel === undefined ? forTask(session, desk, agent, task, named) : forChannel(session, desk, agent, channel, named);
}

type Desk = ToldDesk & RequestDesk;

/** As a daemon's workshop, without what it starts. A running daemon may go by another name than this clone. */
async function deskOf({ clone, node, fleet }: Session): Promise<Desk> {
  const daemon = (await daemonRuns(clone)) ? ((await clone.local.read('daemon')) as { readonly node?: string } | null | undefined) : null;
  return {
    node: { ...node, identity: { ...node.identity, node: daemon?.node ?? node.identity.node } }, worktrees: clone.worktrees, shipped: shippedFile,
    scratch: (spawn) => join(clone.workDir, 'spawns', spawn), config: () => fleet.config, fleet: () => fleet, agent: (id) => agentNamed(fleet.config, id),
  };
}

async function forTask(session: Session, desk: Desk, agent: LocalAgent, id: string | undefined, named: readonly string[]): Promise<ShownPrompt> {
  const runs = await runsOf(session, agent.id);
  const situation = id === undefined ? urgentTask(session, agent, runs) : situationNow(session).tasks.get(id);
  if (situation === undefined) throw unknownTask(session, id ?? '');
  const { task } = situation;
  if (situation.result !== undefined) throw new CambiumError('refused', `${task.id} has ended: ${situation.result.outcome}.`, { hint: `\`cambium task retry ${task.id}\` makes it ready again, where it failed.` });
  const under = runs.find((run) => run.task === task.id);
  const run = under ?? (await nextRun(session, agent, situation));
  const commit = under?.base ?? session.fleet.main.commit;
  const { missing, ...texts } = await readTexts(desk.node.store, task, commit, await sourceFor(session, task, under));
  const told = await toldTo(desk, { agent: agent.id, role: agent.role, task, commit });
  const prompt = assemblePrompt(promptSubject(desk, { ...run, spawn: SPAWN_PLACEHOLDER }, task, { ...texts, ...told }), session.fleet.config.limits.promptTokens);
  const notes = [...named, ...(under === undefined ? hindrances(agent, situation) : []), ...missing.map((path) => `The context file ${path} is not in the tree.`), ...unread(agent, task)];
  return shown(prompt, { agent: agent.id, role: agent.role, purpose: 'task', task: task.id, epoch: run.epoch, attempt: run.attempt, channel: null, messages: [], notes });
}

/** The agent's runs in this clone that may still be given a turn. */
async function runsOf({ clone, fleet }: Session, agent: string): Promise<readonly Run[]> {
  const all = await Promise.all((await clone.local.list('runs/')).map((key) => clone.local.read(key) as Promise<Run>));
  return all.filter((run) => run.agent === agent && ['preparing', 'working', 'verifying'].includes(run.phase) && fleet.chains.get(run.task)?.tip === run.claim);
}

/** What it works on; else the first in the queue that it may take. A daemon that competes with others may pick another one. */
function urgentTask(session: Session, agent: LocalAgent, runs: readonly Run[]): TaskSituation {
  const { tasks, ready } = situationNow(session);
  const own = runs[0] === undefined ? undefined : tasks.get(runs[0].task);
  const found = own ?? ready.find(({ task }) => misfit(agent, task, session.fleet.config.defaults.provider) === null);
  if (found !== undefined) return found;
  throw new CambiumError('nothing-ready', `No task is ready for ${agent.id}.`, { hint: 'Name one with `--task`, or a channel with `--channel`.' });
}

/** The run that the next claim would begin. */
async function nextRun({ clone, fleet }: Session, agent: LocalAgent, { task }: TaskSituation): Promise<ToldRun> {
  const chain = fleet.chains.get(task.id);
  return { task: task.id, epoch: (chain?.record.epoch ?? 0) + 1, attempt: nextAttempt(chain), agent: agent.id, spawn: SPAWN_PLACEHOLDER, turns: 0, feedback: await feedbackAfter(clone.store, clone.reader, chain) };
}

/** Where the context files of a task that works in a project stand: where its run began, or where one would begin now. */
async function sourceFor(session: Session, task: Task, run: Run | undefined): Promise<Source | null> {
  if (task.project === undefined || task.contextFiles.every((path) => path.startsWith(WORKSPACE))) return null;
  const { clone, node, fleet } = session;
  const desk = createProjectDesk({ node, projects: () => clone.projects, config: () => fleet.config });
  if (run?.project !== undefined && run.project !== null) return contextSource({ projects: desk }, run);
  const site = await desk.open(task.project);
  const { main } = await site.mirror.refresh();
  return main === null ? null : { store: site.node.store, commit: main };
}

/** Why it would not be sent just now. */
function hindrances(agent: LocalAgent, { task, state, reasons }: TaskSituation): readonly string[] {
  const unfit = misfit(agent, task, agent.provider);
  return [...(unfit === null ? [] : [`${agent.id} may not take ${task.id}: ${unfit}.`]), ...(state === 'ready' ? [] : [`${task.id} is ${state}${reasons[0] === undefined ? '' : ` (${reasons[0]})`}: this is what the next claim would begin with.`])];
}

function unread(agent: LocalAgent, task: Task | null): readonly string[] {
  return (task?.provider ?? agent.provider) === 'runbook' ? ['The provider `runbook` reads no prompt: it runs the `sh` blocks of the instruction file.'] : [];
}

async function forChannel(session: Session, desk: Desk, agent: LocalAgent, channel: string, named: readonly string[]): Promise<ShownPrompt> {
  if (!isId(channel)) throw new CambiumError('usage', `${channel} is no channel's name.`, { hint: 'Give it without `#`; `cambium channel list` shows them.' });
  const { clone, fleet } = session;
  const place = { channel };
  const talk = await readTalk(session);
  const conversation = talk.conversations.find((found) => placeFolder(found.place) === placeFolder(place));
  const due = wakesAmong(session, talk).due.find((wake) => wake.key === wakeKey(agent.id, place));
  const under = (await clone.local.read(answerRecordKey(wakeKey(agent.id, place)))) as Answer | null | undefined;
  const messages = under?.messages ?? due?.messages.map(({ id }) => id);
  if (messages === undefined || conversation === undefined) {
    throw new CambiumError('nothing-ready', `Nothing calls for ${agent.id} in #${channel}.`, { hint: `\`cambium send '#${channel} @${agent.id} …'\` would; \`cambium channel read ${channel}\` shows what was said, and why a mention wakes nobody.` });
  }
  const worktree = desk.worktrees.path(answerWorktree({ spawn: SPAWN_PLACEHOLDER }));
  const request = { agent: agent.id, role: agent.role, node: desk.node.identity.node, purpose: 'message' as const, directory: worktree, worktree, resultFile: `${desk.scratch(SPAWN_PLACEHOLDER)}/${RESULT_FILE}`, attempt: (under?.spawns.length ?? 0) + 1 };
  const told = await toldTo(desk, { agent: agent.id, role: agent.role, task: null, commit: fleet.main.commit });
  const subject: PromptSubject = answerSubject({ messages, place }, request, conversation, told);
  return shown(assemblePrompt(subject, fleet.config.limits.promptTokens), { agent: agent.id, role: agent.role, purpose: 'message', task: null, epoch: 0, attempt: request.attempt, channel, messages, notes: named });
}

function shown({ text, tokens, budget, parts }: Prompt, about: Omit<ShownPrompt, 'prompt' | 'tokens' | 'budget_tokens' | 'parts'>): ShownPrompt {
  const over = tokens > budget ? [`It is over its budget of ${budget} tokens: what is never cut (the task, its criteria, what is to be answered) is that large by itself.`] : [];
  return { ...about, prompt: text, tokens, budget_tokens: budget, parts, notes: [...about.notes, ...over] };
}
