/**
 * What files say of each other, for `cambium check`: tasks that wait for what does not exist, that nobody may take, or
 * that ask for what cambium.yaml does not define. By the same functions that decide in the loop. Pure.
 */
import { misfit } from '../orient/fit.ts';
import { closestWord } from '../model/closest.ts';
import { CLIENTS } from '../model/config.ts';
import { reviewWish } from '../model/reviewer.ts';
import type { FleetConfig } from '../model/config.ts';
import type { Finding, FindingCode, FindingLevel } from '../model/finding.ts';
import { CONFIG_FILE, WORKSPACE, constitutionPath } from '../model/layout.ts';
import type { LocalAgent } from '../model/snapshot.ts';
import type { Outcome, Task } from '../model/task.ts';
import type { Checked } from '../observe/check.ts';
import type { Path } from '../observe/yaml.ts';
import { agentNamed } from '../orient/agents.ts';
import { type Dependencies, orientDependencies } from '../orient/dependencies.ts';

/** What stands at a path that a task names as context. */
export type ContextState = 'file' | 'folder' | 'ignored' | 'missing';

export interface Surroundings {
  /** Archived tasks that an open one speaks of or shares its id with. */
  readonly archived: ReadonlyMap<string, ArchivedTask>;
  /** By path of the tree, for every context file of an open task (`contextPath`). */
  readonly context: ReadonlyMap<string, ContextState>;
  /** Those that agents are given and that are there to be read, in the workspace or in the package. */
  readonly constitutions: ReadonlySet<string>;
}

export interface ArchivedTask {
  readonly path: string;
  /** Null where its result cannot be read. */
  readonly outcome: Outcome | null;
}

type Say = (path: string, at: Path, item: string | undefined, level: FindingLevel, code: FindingCode, message: string, mend: string) => void;

/** Ended tasks are left alone: what they asked for has been. */
export function checkReferences(checked: Checked, { archived, context, constitutions }: Surroundings): readonly Finding[] {
  const findings: Finding[] = [];
  const say: Say = (path, at, item, level, code, message, mend) => void findings.push({ path, ...checked.placeOf(path, at, item), level, code, message, mend });
  const past = [...archived].flatMap(([id, { outcome }]): [string, Ended][] => (outcome === null || checked.tasks.has(id) ? [] : [[id, { outcome }]]));
  const results = new Map<string, Ended>([...past, ...checked.results]);
  const blocks = orientDependencies(checked.tasks, results);
  const people = checked.config === null ? null : peopleOf(checked, checked.config);
  if (people !== null) checkConfig(people, constitutions, say);
  const known = { ids: new Set([...checked.tasks.keys(), ...checked.setAside, ...results.keys()]), results, blocks, context };
  for (const task of checked.tasks.values()) {
    const before = archived.get(task.id);
    if (before !== undefined) say(task.path, [], undefined, 'error', 'duplicate-id', `The id ${task.id} was used before, by ${before.path}.`, `Give the file another name, or reopen the old task with \`cambium task reopen ${task.id}\`.`);
    if (results.has(task.id)) continue;
    checkDependencies(task, known, say);
    checkContext(task, known, say);
    if (people !== null) checkPeople(task, people, say);
  }
  if (people !== null) for (const [agent, path] of checked.selfModels) if (!people.ids.has(agent)) say(path, [], undefined, 'warning', 'unknown-agent', `No agent is called ${agent}.`, agentMend(agent, people));
  return findings;
}

interface Ended {
  readonly outcome: Outcome;
}

interface Known {
  /** Also of what is set aside: its own error is enough. */
  readonly ids: ReadonlySet<string>;
  readonly results: ReadonlyMap<string, Ended>;
  readonly blocks: Dependencies;
  readonly context: ReadonlyMap<string, ContextState>;
}

function checkDependencies(task: Task, { ids, blocks }: Known, say: Say): void {
  for (const on of task.dependsOn) {
    if (!ids.has(on)) say(task.path, ['depends_on'], on, 'error', 'unknown-dependency', `\`${task.id}\` depends on ${on}, which does not exist.`, idMend(on, ids, `Add tasks/${on}.md, or take it out of depends_on.`));
  }
  const block = blocks.get(task.id);
  if (block !== undefined && block !== 'met' && block.kind === 'cycle') say(task.path, ['depends_on'], block.on, 'error', 'dependency-circle', `\`${task.id}\` ${block.reason}.`, block.mend);
  if (task.parent !== undefined && !ids.has(task.parent)) say(task.path, ['parent'], undefined, 'warning', 'unknown-parent', `The parent ${task.parent} does not exist.`, idMend(task.parent, ids, 'Correct it, or take it out.'));
}

/** Generated ids end in four random characters that people leave out. */
function idMend(id: string, ids: ReadonlySet<string>, otherwise: string): string {
  const near = [...ids].find((known) => known.startsWith(`${id}-`)) ?? closestWord(id, ids);
  return near === null ? otherwise : `Did you mean \`${near}\`?`;
}

/** Where in this tree a context file stands; null for one of another repository, which cannot be seen from here. */
export function contextPath({ project }: Task, path: string): string | null {
  if (path.startsWith(WORKSPACE)) return path.slice(WORKSPACE.length);
  return project === undefined ? path : null;
}

/** What a task that is done first may still write is only worth a warning. */
function checkContext(task: Task, { blocks, context }: Known, say: Say): void {
  for (const named of task.contextFiles) {
    const path = contextPath(task, named);
    const state = path === null ? 'file' : context.get(path) ?? 'file';
    if (path === null || state === 'file') continue;
    const waits = state === 'missing' && blocks.get(task.id) !== 'met';
    say(task.path, ['context_files'], named, waits ? 'warning' : 'error', 'missing-context', contextMessage[state](path), waits ? 'See that a task it depends on writes it; without it, it will not start.' : contextMend[state]);
  }
}

const contextMessage: Readonly<Record<Exclude<ContextState, 'file'>, (path: string) => string>> = {
  missing: (path) => `The context file ${path} does not exist.`,
  folder: (path) => `The context file ${path} is a folder.`,
  ignored: (path) => `The context file ${path} is ignored by git, so no node will ever have it.`,
};
const contextMend: Readonly<Record<Exclude<ContextState, 'file'>, string>> = {
  missing: 'Add it, or take it out of context_files.',
  folder: 'Name the files themselves.',
  ignored: 'Take it out of .gitignore, or out of context_files.',
};

interface People {
  readonly config: FleetConfig;
  readonly agents: readonly LocalAgent[];
  readonly ids: ReadonlySet<string>;
  readonly providers: ReadonlySet<string>;
}

/** Those of cambium.yaml, and those who joined by claiming: they are on the roster. */
function peopleOf({ roster }: Checked, config: FleetConfig): People {
  const joined = roster.filter(({ id }) => !Object.hasOwn(config.agents, id)).map(({ id, role, capabilities, provider }): LocalAgent => ({ id, role, capabilities, provider, model: null }));
  const agents = [...Object.keys(config.agents).map((id) => agentNamed(config, id)), ...joined];
  return { config, agents, ids: new Set(agents.map(({ id }) => id)), providers: new Set(['runbook', ...CLIENTS, ...Object.keys(config.providers)]) };
}

function checkPeople(task: Task, people: People, say: Say): void {
  const { config, ids, providers } = people;
  const { path, assignedTo, project, provider, review } = task;
  if (project !== undefined && !Object.hasOwn(config.projects, project)) {
    say(path, ['project'], undefined, 'error', 'unknown-project', `cambium.yaml has no project ${project}.`, wordMend(project, Object.keys(config.projects), 'Define it under `projects:` in cambium.yaml.'));
  }
  if (provider !== undefined && !providers.has(provider)) return say(path, ['provider'], undefined, 'error', 'unknown-provider', `There is no provider ${provider}.`, providerMend(provider, people));
  if (review !== undefined && reviewWish(review).kind === 'agent' && !ids.has(review)) say(path, ['review'], undefined, 'warning', 'unknown-agent', `No agent is called ${review}.`, wordMend(review, ['human', ...ids], 'Name one of cambium.yaml, or `human`.'));
  if (assignedTo !== undefined && !ids.has(assignedTo)) return say(path, ['assigned_to'], undefined, 'warning', 'unknown-agent', `No agent is called ${assignedTo}, so nobody takes the task until one of that name joins.`, agentMend(assignedTo, people));
  checkFit(task, people, say);
}

/** Where nobody fits, the first thing that nobody has is the reason; else nobody has all of it. */
function checkFit(task: Task, { config, agents }: People, say: Say): void {
  if (agents.length === 0 || agents.some((agent) => misfit(agent, task, config.defaults.provider) === null)) return;
  const { path, role } = task;
  const roles = agents.map((agent) => agent.role);
  if (task.assignedTo === undefined && role !== undefined && !roles.includes(role)) return say(path, ['role'], undefined, 'warning', 'unknown-role', `No agent has the role ${role}.`, wordMend(role, roles, 'Give it to an agent in cambium.yaml.'));
  const all = agents.flatMap(({ capabilities }) => capabilities);
  const lacking = task.requires.find((capability) => !all.includes(capability));
  if (lacking !== undefined) return say(path, ['requires'], lacking, 'warning', 'unknown-capability', `No agent has the capability ${lacking}.`, wordMend(lacking, all, 'Add it to the `capabilities` of an agent in cambium.yaml.'));
  const named = agents.filter(({ id }) => task.assignedTo === undefined || task.assignedTo === id).slice(0, 3);
  const reasons = named.map((agent) => `${agent.id}: ${misfit(agent, task, config.defaults.provider)}`);
  say(path, [fitKey(task)], undefined, 'warning', 'no-agent-fits', `No agent may take the task (${reasons.join('; ')}).`, 'Ask for less, or change an agent in cambium.yaml.');
}

const fitKey = (task: Task): string => (task.requires.length > 0 ? 'requires' : task.provider !== undefined ? 'provider' : task.role !== undefined ? 'role' : 'assigned_to');

function checkConfig(people: People, constitutions: ReadonlySet<string>, say: Say): void {
  const { config, providers } = people;
  const { provider } = config.defaults;
  const noProvider = (at: Path, name: string, level: FindingLevel): void => say(CONFIG_FILE, at, undefined, level, 'unknown-provider', `There is no provider ${name}.`, providerMend(name, people));
  if (!providers.has(provider)) noProvider(['defaults', 'provider'], provider, 'error');
  for (const [id, agent] of Object.entries(config.agents)) {
    if (agent.provider !== provider && !providers.has(agent.provider)) noProvider(['agents', id, 'provider'], agent.provider, 'error');
    for (const [index, name] of agent.fallback.entries()) if (!providers.has(name)) noProvider(['agents', id, 'fallback', index], name, 'warning');
    if (agent.constitution !== null && !constitutions.has(agent.constitution)) say(CONFIG_FILE, ['agents', id, 'constitution'], undefined, 'warning', 'unknown-constitution', `There is no constitution ${agent.constitution}, so ${id} is given none.`, `Write ${constitutionPath(agent.constitution)}, or name one that is there.`);
    if (!Object.hasOwn(config.roles, agent.role)) say(CONFIG_FILE, ['agents', id, 'role'], undefined, 'warning', 'unknown-role', `The role ${agent.role} is not defined, so ${id} may change nothing.`, wordMend(agent.role, Object.keys(config.roles), 'Define it under `roles:`.'));
  }
}

function wordMend(word: string, known: readonly string[], otherwise: string): string {
  const near = closestWord(word, known);
  return near === null ? otherwise : `Did you mean \`${near}\`?`;
}

function providerMend(name: string, { providers }: People): string {
  return wordMend(name, [...providers], 'Define it under `providers:` in cambium.yaml, or name one that exists.');
}

function agentMend(name: string, { ids }: People): string {
  return wordMend(name, [...ids], 'Add it under `agents:` in cambium.yaml, or name one that is there.');
}
