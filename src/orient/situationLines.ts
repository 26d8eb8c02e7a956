/**
 * Where things stand, as an agent is told when it is woken: its own claims, its limits, what others are at; for a coordinator
 * the queue, the workers, the results and the budgets. Nothing that changes by itself is said (ages, times to go), and nothing
 * of the task that it is told about anyway: the same fleet gives the same lines before a claim and after it. Pure.
 */
import { chainState } from '../model/claim.ts';
import type { FleetConfig } from '../model/config.ts';
import type { AgentId, TaskId } from '../model/ids.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Task, TaskResult } from '../model/task.ts';
import { amountText, dayOf, spentFor, spentOn } from './budgets.ts';
import type { Spent } from './budgets.ts';
import { fleetStop, paused, providerWait, waitText } from './limits.ts';
import { endedTasks } from './situation.ts';
import type { Situation, TaskSituation, TaskState } from './situation.ts';

export interface Standing {
  readonly agent: AgentId;
  readonly role: string;
  /** The task it is woken for; null where it answers messages. */
  readonly task: Task | null;
  /** UTC ISO time: whose day is counted, and which parks still hold. */
  readonly now: string;
}

/** More than these are counted, not named. */
const OTHERS_MAX = 20;
const QUEUE_MAX = 40;
const RESULTS_MAX = 10;
const REASON_CHARS = 200;

export function situationLines(fleet: Fleet, situation: Situation, about: Standing): readonly string[] {
  const others = [...situation.tasks.values()].filter(({ task }) => task.id !== about.task?.id);
  return [
    ...(about.task === null ? [] : taskLines(fleet, others, about.task)),
    ...scopeLine(fleet.config, about),
    ...claimLines(others, about),
    ...(about.role === 'coordinator' ? coordinatorLines(fleet, others, about) : []),
  ];
}

/** The bounds of the run, what the task builds on, and what was made from it. */
function taskLines(fleet: Fleet, others: readonly TaskSituation[], task: Task): readonly string[] {
  const { defaults, limits } = fleet.config;
  const bounds = [
    `${task.timeoutMinutes ?? defaults.timeoutMinutes} minutes a turn`, `${task.maxAttempts ?? defaults.maxAttempts} attempts in all`,
    ...(task.maxTurns === undefined ? [] : [`${task.maxTurns} model turns`]), ...money(spentFor(ended(fleet), task.id), task.budgetUsd ?? limits.usdPerTask, limits.tokensPerTask),
  ];
  const results = endedTasks(fleet);
  const built = task.dependsOn.map((id) => `${id} (${resultText(id, results.get(id))})`);
  const children = others.filter(({ task: child }) => child.parent === task.id).map(({ task: child, state }) => `${child.id} is ${state}`);
  return [
    `Limits of this task: ${bounds.join(', ')}.`,
    ...(task.verify === undefined ? [] : [`When you end, the node runs: ${typeof task.verify === 'string' ? task.verify : task.verify.join(' ')}`]),
    ...(task.review === undefined ? [] : [`Before it lands, ${task.review === 'human' ? 'a person' : task.review} reviews it.`]),
    ...listed('Your task builds on', built, OTHERS_MAX), ...listed('Tasks made from yours', children, OTHERS_MAX),
  ];
}

/** What runs at this moment is not counted: it says so itself, and something else each second. */
const ended = ({ ledger }: Fleet): { readonly ledger: Fleet['ledger']; readonly live: readonly [] } => ({ ledger, live: [] });

function money(spent: Spent, usd: number | null, tokens: number | null): readonly string[] {
  return [...(usd === null ? [] : [`${amountText(usd, 'usd')}, of which ${amountText(spent.usd, 'usd')} are spent`]), ...(tokens === null ? [] : [`${amountText(tokens, 'tokens')}, of which ${Math.round(spent.tokens)} are used`])];
}

function resultText(id: TaskId, result: TaskResult | undefined): string {
  return result === undefined ? 'no result yet' : `${result.outcome}${result.agent === null ? '' : ` by ${result.agent}`}; report: tasks/**/${id}.result.md`;
}

function scopeLine({ roles, protectedPaths }: FleetConfig, { agent, role }: Standing): readonly string[] {
  const rules = Object.hasOwn(roles, role) ? roles[role] : undefined;
  if (rules === undefined) return [`The role ${role} is not defined in cambium.yaml, so no change of yours can land.`];
  const globs = (given: readonly string[]): string => given.map((glob) => glob.replaceAll('{agent}', agent)).join(', ');
  const write = rules.write.length === 0 ? 'change nothing' : `change ${globs(rules.write)}${rules.except.length === 0 ? '' : ` without ${globs(rules.except)}`}`;
  const add = rules.add.length === 0 ? '' : `; add new files at ${globs(rules.add)}`;
  return [`As ${role} you may ${write}${add}. Never: ${globs(protectedPaths)}.`];
}

function claimLines(others: readonly TaskSituation[], { agent }: Standing): readonly string[] {
  const held = others.filter(({ state, chain }) => state === 'held' && chainState(chain) === 'held');
  const mine = held.filter(({ chain }) => chain?.record.agent === agent).map(({ task, chain }) => `${task.id} (epoch ${chain?.record.epoch} on ${chain?.record.node})`);
  const theirs = held.filter(({ chain }) => chain?.record.agent !== agent).map(({ task, chain }) => `${task.id} (${chain?.record.agent} on ${chain?.record.node})`);
  const reviews = others.filter(({ state, chain, task }) => state === 'review' && chainState(chain) === 'review' && task.review === agent).map(({ task, chain }) => `${task.id} (commit ${chain?.record.commit?.slice(0, 10) ?? '?'})`);
  return [...listed('You hold besides', mine, OTHERS_MAX), ...listed('For you to review', reviews, OTHERS_MAX), ...listed('Others work on', theirs, OTHERS_MAX)];
}

/** Those that need somebody first. */
const URGENCY: readonly TaskState[] = ['input', 'review', 'failed', 'blocked', 'held', 'ready', 'waiting'];

function coordinatorLines(fleet: Fleet, others: readonly TaskSituation[], { agent, now }: Standing): readonly string[] {
  const open = others.filter(({ state }) => URGENCY.includes(state)).toSorted((a, b) => URGENCY.indexOf(a.state) - URGENCY.indexOf(b.state) || a.task.priority - b.task.priority || (a.task.id < b.task.id ? -1 : 1));
  const counts = [...URGENCY, 'cancelled', 'done'].map((state) => [state, others.filter((task) => task.state === state).length] as const).filter(([, count]) => count > 0);
  const results = others.flatMap(({ task, result }) => (result === undefined ? [] : [{ id: task.id, result }])).toSorted((a, b) => (a.result.ended < b.result.ended ? 1 : a.result.ended > b.result.ended ? -1 : a.id < b.id ? -1 : 1));
  return [
    `The queue: ${counts.length === 0 ? 'empty' : counts.map(([state, count]) => `${count} ${state}`).join(', ')}.`,
    ...open.slice(0, QUEUE_MAX).map(queueLine), ...rest(open.length, QUEUE_MAX),
    ...(results.length === 0 ? [] : ['The latest results:', ...results.slice(0, RESULTS_MAX).map(({ id, result }) => `- ${id}: ${result.outcome}${result.agent === null ? '' : ` by ${result.agent}`}, attempt ${result.attempts}${result.costUsd === null ? '' : `, ${amountText(result.costUsd, 'usd')}`}`)]),
    ...workerLines(fleet, others, agent),
    ...waitLines(fleet, now),
    budgetLine(fleet, now),
  ];
}

function queueLine({ task, state, reasons, chain }: TaskSituation): string {
  const who = state === 'held' ? `, attempt ${chain?.record.attempt ?? 1} by ${reasons[0] ?? '?'}` : reasons[0] === undefined ? '' : `: ${clip(reasons[0])}`;
  return `- ${task.id}: ${state}, priority ${task.priority}${who}`;
}

function workerLines({ config }: Fleet, others: readonly TaskSituation[], self: AgentId): readonly string[] {
  const agents = Object.entries(config.agents).filter(([id]) => id !== self);
  if (agents.length === 0) return [];
  const lines = agents.slice(0, QUEUE_MAX).map(([id, { role, provider, model, node, capabilities }]) => {
    const at = others.filter(({ state, chain }) => state === 'held' && chain?.record.agent === id).map(({ task }) => task.id);
    return `- ${id}: ${role}, ${provider}${model === null ? '' : ` ${model}`}, on ${node === '*' ? 'any node' : node}${capabilities.length === 0 ? '' : `, can ${capabilities.join(', ')}`}; ${at.length === 0 ? 'free' : `works on ${at.join(', ')}`}`;
  });
  return ['The agents:', ...lines, ...rest(agents.length, QUEUE_MAX)];
}

/** What people have stopped, and which providers are left alone. */
function waitLines(fleet: Fleet, now: string): readonly string[] {
  const providers = [...new Set(Object.values(fleet.config.agents).flatMap(({ provider, fallback }) => [provider, ...fallback]))];
  const agents = Object.keys(fleet.config.agents).map((id) => paused(fleet.stop, 'agent', id));
  return [fleetStop(fleet.stop), ...agents, ...providers.map((name) => providerWait(fleet, name, now))].filter((wait) => wait !== null).map((wait) => `- ${clip(waitText(wait))}`);
}

function budgetLine(fleet: Fleet, now: string): string {
  const { limits } = fleet.config;
  const spent = spentOn(ended(fleet), dayOf(now));
  const day = money(spent, limits.usdPerDay, limits.tokensPerDay);
  return `The fleet's limits: ${[...(day.length === 0 ? [`no limit of money (${amountText(spent.usd, 'usd')} are spent today)`] : [`for today ${day.join(', and ')}`]), `${limits.agentsPerNode} agents at once on a node`, `agents woken by agents ${limits.spawnDepth} deep`].join('; ')}.`;
}

function listed(what: string, items: readonly string[], most: number): readonly string[] {
  return items.length === 0 ? [] : [`${what}: ${items.slice(0, most).join(', ')}${items.length > most ? `, and ${items.length - most} more` : ''}.`];
}

function rest(count: number, most: number): readonly string[] {
  return count > most ? [`- and ${count - most} more`] : [];
}

function clip(reason: string): string {
  return reason.length <= REASON_CHARS ? reason : `${reason.slice(0, REASON_CHARS - 1)}…`;
}
