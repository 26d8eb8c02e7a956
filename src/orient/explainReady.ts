/** Why a ready task is not running: who could take it, what they are doing, and who goes first. Pure. */
import type { Task } from '../model/task.ts';
import { agentNamed } from './agents.ts';
import type { Candidate } from './candidates.ts';
import { misfit } from './fit.ts';
import type { ExplainFacts, Words } from './explanation.ts';
import type { TaskSituation } from './situation.ts';

export function explainReady(facts: ExplainFacts, situation: TaskSituation, agents: readonly Candidate[]): Words {
  const { task } = situation;
  const fitting = agents.filter(({ fits }) => fits);
  if (agents.length === 0) return { why: ['it is ready, and the fleet has no agents'], mend: ['Give cambium.yaml an agent under `agents:`, or run `cambium up --agents worker-1`.'] };
  if (fitting.length === 0) return { why: ['it is ready, and no agent of the fleet fits it'], mend: misfitMends(facts, task, agents) };
  const refused = refusal(facts);
  const free = fitting.filter(({ presence }) => presence === 'free');
  if (free.length > 0) return { why: [`it is ready: ${whoTakes(facts, free)}`, ...refused, ...queueBefore(facts, situation, free)], mend: free.some(({ node }) => node === facts.local.node) ? [] : startHere(facts, fitting) };
  const doing = fitting.map(({ agent, node, why }) => `${agent}${node === '*' ? '' : ` on ${node}`}: ${why}`);
  const nobody = fitting.every(({ presence }) => presence === 'away') ? 'no daemon runs that could take it' : 'nobody who fits is free';
  return { why: [`it is ready, and ${nobody} (${[...new Set(doing)].slice(0, DOING_MAX).join('; ')}${doing.length > DOING_MAX ? '; …' : ''})`, ...refused, ...queueBefore(facts, situation, fitting)], mend: busyMends(facts, fitting) };
}

const DOING_MAX = 4;

/** This node's own daemon is known to run; of the others only a sign of life is. */
function whoTakes({ local }: ExplainFacts, free: readonly Candidate[]): string {
  const own = free.filter(({ node }) => node === local.node).map(({ agent, node }) => `${agent} on ${node}`);
  if (own.length > 0) return `${own.slice(0, DOING_MAX).join(' or ')} takes it at the next look`;
  return `${free.slice(0, DOING_MAX).map(({ agent, node, why }) => `${agent} on ${node} (${why})`).join(' or ')} can take it, if a daemon runs there`;
}

function startHere({ local }: ExplainFacts, fitting: readonly Candidate[]): readonly string[] {
  return fitting.some(({ node, presence }) => node === local.node && presence === 'away') ? ['Start the daemon of this clone: `cambium up` (or `cambium cycle` for one cycle).'] : [];
}

/** A provider that is away or a hub that refuses: known only where this node has tried. */
function refusal({ decided }: ExplainFacts): readonly string[] {
  const [last] = decided;
  return last !== undefined && ['held-off', 'refused', 'parked'].includes(last.kind) ? [`tried here, and held off: ${last.reason}`] : [];
}

/** Ready tasks that the same agents may take, and take first. */
function queueBefore({ situation, fleet, local }: ExplainFacts, { task }: TaskSituation, fitting: readonly Candidate[]): readonly string[] {
  const ids = [...new Set(fitting.map(({ agent }) => agent))];
  const agents = ids.map((id) => local.agents.find((own) => own.id === id) ?? agentNamed(fleet.config, id));
  const older = situation.ready.slice(0, Math.max(0, situation.ready.findIndex((other) => other.task.id === task.id)));
  const before = older.filter((other) => agents.some((agent) => misfit(agent, other.task, fleet.config.defaults.provider) === null));
  if (before.length === 0) return [];
  const urgent = before.filter((other) => other.task.priority < task.priority).length;
  const how = urgent === before.length ? ', more urgent' : urgent > 0 ? `, ${urgent} of them more urgent` : ', older';
  return [`${before.length} ready task${before.length === 1 ? ' comes' : 's come'} before it${how}, for ${ids.slice(0, DOING_MAX).join(', ')}${ids.length > DOING_MAX ? ', …' : ''}`];
}

function busyMends(facts: ExplainFacts, fitting: readonly Candidate[]): readonly string[] {
  const own = startHere(facts, fitting);
  const isBusy = fitting.some(({ presence }) => presence === 'busy' || presence === 'full' || presence === 'waiting');
  const nodes = [...new Set(fitting.filter(({ node, presence }) => presence === 'away' && node !== facts.local.node && node !== '*').map(({ node }) => node))];
  return [
    ...own,
    ...(isBusy ? ['It starts by itself when one of them is free.'] : []),
    ...(own.length === 0 && !isBusy && nodes.length > 0 ? [`Start a daemon on ${nodes.join(' or ')}: \`cambium up\` there.`] : []),
    ...(own.length === 0 && !isBusy && nodes.length === 0 ? ['Run `cambium up` on a node that has this agent.'] : []),
  ];
}

/** By what the task asks for that nobody offers. */
function misfitMends({ fleet }: ExplainFacts, { id, path, assignedTo, role, requires, provider }: Task, agents: readonly Candidate[]): readonly string[] {
  if (assignedTo !== undefined && !agents.some(({ agent }) => agent === assignedTo)) {
    return [`Give cambium.yaml an agent ${assignedTo}, or assign it to another: \`cambium task edit ${id} --assign ${agents[0]?.agent ?? '<agent>'}\`.`];
  }
  const wanted = [
    ...(assignedTo === undefined && role !== undefined ? [`role ${role}`] : []), ...(requires.length > 0 ? [`the capabilities ${requires.join(', ')}`] : []), ...(provider === undefined ? [] : [`the provider ${provider}`]),
  ];
  const unknown = provider !== undefined && fleet.config.providers[provider] === undefined && !Object.values(fleet.config.agents).some((agent) => agent.provider === provider) ? [`No agent uses the provider ${provider}: define it under \`providers:\` in cambium.yaml.`] : [];
  return [`Give cambium.yaml an agent${assignedTo === undefined ? '' : ` ${assignedTo}`} with ${wanted.join(' and ') || 'the role worker'}, or ask for less in ${path}.`, ...unknown];
}
