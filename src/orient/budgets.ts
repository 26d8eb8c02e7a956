/**
 * What was spent, and which budgets are used up. Counted from the records of ended spawns and from what the running ones have
 * said (docs/formats.md, agents/spawns); a cost that nobody knows counts as nothing, so tokens and time bound it. Pure.
 */
import type { LimitFacts, Wait } from '../model/limits.ts';
import type { Task, Usage } from '../model/task.ts';

export interface Spent {
  readonly usd: number;
  readonly tokens: number;
}

interface Purse {
  readonly limit: number | null | undefined;
  readonly unit: keyof Spent;
  readonly of: string;
  readonly until: string | null;
  /** How to raise it. */
  readonly mend: string;
  spent(): Spent;
}

/** Runs that an earlier version began may say nothing of it. */
export const tokensOf = (usage: Usage | null | undefined): number => (usage === null || usage === undefined ? 0 : usage.input + usage.output);

/** A day is a UTC day: the date on which a spawn began. */
export const dayOf = (time: string): string => time.slice(0, 10);

const dayAfter = (day: string): string => new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString();

type Counted = Pick<LimitFacts, 'ledger' | 'live'>;

function total({ ledger, live }: Counted, isEnded: (spawn: LimitFacts['ledger'][number]) => boolean, isLive: (spawn: LimitFacts['live'][number]) => boolean): Spent {
  let usd = 0;
  let tokens = 0;
  for (const spawn of ledger) {
    if (!isEnded(spawn)) continue;
    usd += spawn.costUsd ?? 0;
    tokens += tokensOf(spawn.usage);
  }
  for (const spawn of live) {
    if (!isLive(spawn)) continue;
    usd += spawn.usd ?? 0;
    tokens += spawn.tokens;
  }
  return { usd, tokens };
}

/** All that was spent in a UTC day, by one agent where it is named. What runs now counts to today. */
export function spentOn(facts: Counted, day: string, agent?: string): Spent {
  const isOf = (who: string | null): boolean => agent === undefined || who === agent;
  return total(facts, (spawn) => dayOf(spawn.start ?? '') === day && isOf(spawn.agent), (spawn) => isOf(spawn.agent));
}

export function spentFor(facts: Counted, task: string): Spent {
  return total(facts, (spawn) => spawn.task === task, (spawn) => spawn.task === task);
}

type BudgetFacts = Counted & Pick<LimitFacts, 'config'>;

/** The first purse of a task that is empty: only a person fills it again. */
export const taskBudget = (facts: BudgetFacts, task: Budgeted): Wait | null => empty(taskPurses(facts, task));

/** The first purse of the fleet's day that is empty. */
export const fleetBudget = (facts: BudgetFacts, now: string): Wait | null => empty(fleetPurses(facts, now));

/** The first purse of an agent's day that is empty. */
export const agentBudget = (facts: BudgetFacts, agent: string, now: string): Wait | null => empty(agentPurses(facts, agent, now));

/** US dollars that one more spawn may cost, by the purse that has least; null: no limit. A CLI that keeps a limit itself is told this one. */
export function usdLeft(facts: BudgetFacts, { agent, task }: { readonly agent: string; readonly task: Budgeted | null }, now: string): number | null {
  const purses = [...(task === null ? [] : taskPurses(facts, task)), ...agentPurses(facts, agent, now), ...fleetPurses(facts, now)];
  const left = purses.flatMap(({ limit, unit, spent }) => (unit !== 'usd' || limit === null || limit === undefined ? [] : [Math.max(0, limit - spent().usd)]));
  // Hundredths of a cent: below, a sum of fractions is noise.
  return left.length === 0 ? null : Math.floor(Math.min(...left) * 10_000 + 1e-6) / 10_000;
}

type Budgeted = Pick<Task, 'id' | 'path' | 'budgetUsd'>;

function taskPurses(facts: BudgetFacts, task: Budgeted): readonly Purse[] {
  const { limits } = facts.config;
  const raise = task.budgetUsd === undefined ? 'limits.usd_per_task in cambium.yaml, or give the task a `budget_usd` of its own' : `budget_usd in ${task.path}`;
  const spent = (): Spent => spentFor(facts, task.id);
  return [
    { limit: task.budgetUsd ?? limits.usdPerTask, unit: 'usd', of: `task ${task.id}`, until: null, mend: `Raise it: ${raise}.`, spent },
    { limit: limits.tokensPerTask, unit: 'tokens', of: `task ${task.id}`, until: null, mend: 'Raise it: limits.tokens_per_task in cambium.yaml.', spent },
  ];
}

function fleetPurses(facts: BudgetFacts, now: string): readonly Purse[] {
  const { limits } = facts.config;
  const day = dayOf(now);
  const until = dayAfter(day);
  const spent = (): Spent => spentOn(facts, day);
  return [
    { limit: limits.usdPerDay, unit: 'usd', of: 'the fleet for today', until, mend: 'Raise it: limits.usd_per_day in cambium.yaml.', spent },
    { limit: limits.tokensPerDay, unit: 'tokens', of: 'the fleet for today', until, mend: 'Raise it: limits.tokens_per_day in cambium.yaml.', spent },
  ];
}

function agentPurses(facts: BudgetFacts, agent: string, now: string): readonly Purse[] {
  const { limits, agents } = facts.config;
  const own = Object.hasOwn(agents, agent) ? agents[agent] : undefined;
  const day = dayOf(now);
  const until = dayAfter(day);
  const spent = (): Spent => spentOn(facts, day, agent);
  const key = own?.usdPerDay === undefined || own.usdPerDay === null ? 'limits.usd_per_agent_day' : `agents.${agent}.usd_per_day`;
  return [
    { limit: own?.usdPerDay ?? limits.usdPerAgentDay, unit: 'usd', of: `${agent} for today`, until, mend: `Raise it: ${key} in cambium.yaml.`, spent },
    { limit: own?.tokensPerDay, unit: 'tokens', of: `${agent} for today`, until, mend: `Raise it: agents.${agent}.tokens_per_day in cambium.yaml.`, spent },
  ];
}

function empty(purses: readonly Purse[]): Wait | null {
  for (const { limit, unit, of, until, mend, spent } of purses) {
    if (limit === null || limit === undefined) continue;
    const used = spent()[unit];
    if (used < limit) continue;
    return { kind: 'budget', reason: `the budget of ${amountText(limit, unit)} of ${of} is used up (${amountText(used, unit)} spent)`, until, mend };
  }
  return null;
}

export function amountText(amount: number, unit: keyof Spent): string {
  return unit === 'tokens' ? `${Math.round(amount)} tokens` : `$${amount.toFixed(amount < 1 && amount > 0 ? 4 : 2)}`;
}
