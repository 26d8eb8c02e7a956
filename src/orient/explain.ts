/** Why a task is not running, and what would make it run: for every state a sentence a person can act on. Pure. */
import type { Chain } from '../model/claim.ts';
import type { TaskId } from '../model/ids.ts';
import { resultPath, taskStem } from '../model/layout.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { TaskResult } from '../model/task.ts';
import { candidatesFor } from './candidates.ts';
import type { Candidate, LocalFacts } from './candidates.ts';
import { orientDependencies } from './dependencies.ts';
import { explainHeld } from './explainHeld.ts';
import { explainReady } from './explainReady.ts';
import type { ExplainFacts, Explanation, Words } from './explanation.ts';
import type { TaskSituation } from './situation.ts';
import { agoOf, span } from './spans.ts';

export type { ExplainFacts, Explanation } from './explanation.ts';

/** Null for a task that the fleet does not know. */
export function explainTask(facts: ExplainFacts, id: TaskId): Explanation | null {
  const situation = facts.situation.tasks.get(id);
  if (situation === undefined) return explainQuarantined(facts.fleet, id);
  const agents = ['ready', 'blocked', 'waiting'].includes(situation.state) ? candidatesFor(facts.fleet, situation.task, facts.local) : [];
  return { task: id, state: situation.state, agents, ...explainState(facts, situation, agents) };
}

function explainState(facts: ExplainFacts, task: TaskSituation, agents: readonly Candidate[]): Words {
  if (task.state === 'ready') return explainReady(facts, task, agents);
  if (task.state === 'held') return explainHeld(facts, task);
  if (task.state === 'blocked') return explainBlocked(facts, task);
  if (task.state === 'waiting') return explainWaiting(facts.local, task);
  if (task.result !== undefined) return explainEnded(task.result, facts.report, task.task.path, task.chain);
  const [why = `it is ${task.state}`, ...mend] = task.reasons;
  if (task.state === 'input') return { why: [`it waits for a person: ${why}`, ...sinceWhen(facts, task)], mend };
  if (task.state === 'review') return { why: [why, ...sinceWhen(facts, task)], mend };
  return { why: [`its chain says ${task.state}, and its result is not on main yet: a push was applied by half`], mend: ['Any daemon mends that by itself; without one run `cambium cycle`.'] };
}

function sinceWhen({ local }: ExplainFacts, { chain }: TaskSituation): readonly string[] {
  if (chain === undefined) return [];
  const { agent, node, epoch, attempt, claimed_at: claimedAt } = chain.record;
  const ago = agoOf(claimedAt, local.nowS);
  return [`${agent ?? '?'} on ${node ?? '?'} worked on it: epoch ${epoch}, attempt ${attempt}${ago === null ? '' : `, claimed ${ago} ago`}`];
}

function explainWaiting({ nowS }: LocalFacts, { task, due, reasons }: TaskSituation): Words {
  const inS = due === undefined ? NaN : Date.parse(due) / 1000 - nowS;
  const why = [`${reasons[0] ?? 'it waits for a time'}${Number.isNaN(inS) ? '' : ` (in ${span(inS)})`}`];
  const earlier = task.notBefore !== undefined && task.notBefore === due ? [`To start it earlier, change not_before in ${task.path}.`] : [];
  if (reasons.length > 1) return { why, mend: [...reasons.slice(1), ...(due === undefined ? [] : ['It becomes ready by itself then.'])] };
  return { why, mend: ['It becomes ready by itself then.', ...earlier] };
}

/** The way from a blocked task to what is at the root of it, and that root's own explanation. */
function explainBlocked(facts: ExplainFacts, task: TaskSituation): Words {
  const { fleet, situation } = facts;
  const [reason = 'it is blocked', ...mend] = task.reasons;
  const { path, isCircle } = pathToRoot(fleet, task.task.id);
  const root = situation.tasks.get(path.at(-1) ?? '');
  const way = path.length > 2 && !isCircle ? [`the way there: ${path.join(' → ')}`] : [];
  if (path.length < 2 || root === undefined || isCircle) return { why: [reason, ...way], mend };
  if (root.state === 'failed' || root.state === 'cancelled') return { why: [reason, ...way, `${root.task.id}: ${explainEnded(root.result, null, root.task.path, root.chain).why[0] ?? root.state}`], mend };
  const agents = candidatesFor(fleet, root.task, facts.local);
  const below = explainState({ ...facts, decided: [], report: null }, root, agents);
  return { why: [reason, ...way, ...below.why.slice(0, 2).map((line) => ofRoot(root, line))], mend: root.state === 'blocked' ? mend : [...mend, ...below.mend.map((line) => `${root.task.id}: ${line}`)] };
}

function ofRoot({ task, state }: TaskSituation, line: string): string {
  return line.startsWith('it ') ? `${task.id} ${line.slice('it '.length)}` : `${task.id} is ${state}: ${line}`;
}

/** From the task itself, dependency by dependency, to one that waits for no other, or that a circle comes back to. */
function pathToRoot(fleet: Fleet, id: TaskId): { readonly path: readonly TaskId[]; readonly isCircle: boolean } {
  const blocks = orientDependencies(fleet.tasks, new Map([...(fleet.archived ?? []), ...fleet.results]));
  const path = [id];
  for (let at = id; ; ) {
    const block = blocks.get(at) ?? 'met';
    if (block === 'met' || path.includes(block.on)) return { path, isCircle: block !== 'met' };
    path.push(block.on);
    at = block.on;
  }
}

/** `report` is the first line that the result says for people. */
export function explainEnded(result: TaskResult | undefined, report: string | null, path: string, chain: Chain | undefined): Words {
  if (result === undefined) return { why: ['it has ended'], mend: [] };
  const { task, outcome, agent, node, epoch, attempts, ended } = result;
  const by = agent === null ? '' : ` by ${agent} on ${node ?? '?'}`;
  const how = outcome === 'cancelled' ? 'cancelled' : `${outcome}${by}, epoch ${epoch}, after ${attempts} attempt${attempts === 1 ? '' : 's'}`;
  const said = outcome === 'cancelled' ? (chain?.record.kind === 'cancel' ? `${chain.record.reason ?? ''}${chain.record.by === undefined ? '' : ` (by ${chain.record.by})`}` : (report ?? '')) : (report ?? '');
  const again = outcome === 'done' ? `To do it again: \`cambium task reopen ${task} --reason "…"\`.` : `Read ${resultPath(path)}, then \`cambium task retry ${task}\`.`;
  return { why: [`${how}, at ${ended.slice(0, 19)}Z`, ...(said.trim() === '' ? [] : [said])], mend: [again] };
}

function explainQuarantined(fleet: Fleet, id: TaskId): Explanation | null {
  const found = fleet.quarantine.filter(({ path }) => taskStem(path) === id || path === id);
  if (found.length === 0) return null;
  return { task: id, state: 'quarantined', why: found.map(({ path, line, reason }) => `${path}:${line} ${reason}`), mend: found.map(({ mend }) => mend), agents: [] };
}

const NEAR_MAX = 3;

/** Known ids that a person may have meant, the nearest first. */
export function nearIds(known: Iterable<TaskId>, id: TaskId): readonly TaskId[] {
  const scored = [...known].flatMap((candidate) => {
    const distance = candidate.startsWith(id) || id.startsWith(candidate) || (id.length > 2 && candidate.includes(id)) ? 1 : editsBetween(id, candidate, Math.max(2, Math.floor(id.length / 4)));
    return distance === null ? [] : [{ candidate, distance }];
  });
  return scored.toSorted((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1)).slice(0, NEAR_MAX).map(({ candidate }) => candidate);
}

/** Letters changed, added or left out (Levenshtein); null when more than `most`. */
function editsBetween(a: string, b: string, most: number): number | null {
  if (Math.abs(a.length - b.length) > most) return null;
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + Number(a[i - 1] !== b[j - 1])));
    row = next;
  }
  const distance = row[b.length] ?? Infinity;
  return distance <= most ? distance : null;
}
