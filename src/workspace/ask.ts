/** One question to several agents: in a channel, or blind, and what each of them answers. */
import { CambiumError } from '../errors.ts';
import type { AgentId, Oid } from '../model/ids.ts';
import { agentSpeaking, EVERYBODY, mentionsIn, placeFolder } from '../model/talk.ts';
import type { Message, Place } from '../model/talk.ts';
import { recordedSpawn } from '../observe/recordedSpawn.ts';
import type { Talk } from '../observe/talk.ts';
import { parseJudgement } from '../observe/verdict.ts';
import { agentNamed } from '../orient/agents.ts';
import { readTalk, wakesAmong } from './channels.ts';
import { writeMessage, writeMessages } from './messages.ts';
import { requireAgent } from './runSpawn.ts';
import { daemonRuns } from './session.ts';
import type { Session } from './session.ts';

export interface Question {
  /** Agents' ids, `role:<role>` or `all`. */
  readonly names: readonly string[];
  readonly text: string;
  /** Each gets it in its inbox and sees nothing of the others, nor what came after the question. */
  readonly blind: boolean;
  /** Where it is asked unless it is blind; `general` when unsaid. */
  readonly channel?: string | undefined;
}

export interface Asked {
  /** Null where the question stands in a channel for all to see. */
  readonly group: string | null;
  /** Main commit that whoever answers blind is shown; null for a question in a channel. */
  readonly asOf: Oid | null;
  readonly question: string;
  readonly messages: readonly AskedOne[];
  /** False where no daemon serves this clone. */
  readonly daemon: boolean;
}

export interface AskedOne {
  readonly agent: AgentId;
  readonly id: string;
  readonly place: Place;
}

const FORM = 'Answer with a first line `verdict: …` (a word or a few), and then your reason in a few lines.';

/** All are asked by one commit, or nobody. Throws `usage` (an unknown agent, no text), `refused` (one that answers nobody, oneself). */
export async function ask(session: Session, { names, text, blind, channel = 'general' }: Question): Promise<Asked> {
  const { clone, fleet } = session;
  if (text.trim() === '') throw new CambiumError('usage', 'The question is empty.', { hint: 'cambium ask --blind @prime @zealot "which index do we need?"' });
  const agents = askedAgents(session, names);
  const question = text.trim();
  const body = `${question}\n\n${FORM}\n`;
  const daemon = await daemonRuns(clone);
  if (!blind) {
    const { id } = await writeMessage(session, undefined, `${agents.map((agent) => `@${agent}`).join(' ')} ${body}`, { channel });
    return { group: null, asOf: null, question, messages: agents.map((agent) => ({ agent, id, place: { channel } })), daemon };
  }
  const [group, asOf] = [clone.clock.ulid(), fleet.main.commit];
  const sent = await writeMessages(session, undefined, body, agents.map((agent) => ({ to: agent, group, asOf })));
  return { group, asOf, question, messages: agents.map((agent, at) => ({ agent, id: (sent[at] as { readonly id: string }).id, place: { inbox: agent } })), daemon };
}

/** Each once, in the order in which they are named; a role or `all` means those of them that answer. */
function askedAgents(session: Session, names: readonly string[]): readonly AgentId[] {
  const { config } = session.fleet;
  const answers = (id: string): boolean => agentNamed(config, id).provider !== 'runbook';
  const meant = (name: string): readonly AgentId[] => {
    const role = name.startsWith('role:') ? name.slice('role:'.length) : null;
    if (role === null && name !== EVERYBODY) return [named(session, name)];
    const found = Object.keys(config.agents).filter((id) => answers(id) && id !== session.agent && (role === null || agentNamed(config, id).role === role));
    if (found.length === 0) throw new CambiumError('usage', `Nobody that answers is meant by @${name}.`, { hint: 'See `agents:` in cambium.yaml.' });
    return found;
  };
  const agents = [...new Set(names.flatMap(meant))];
  if (agents.length === 0) throw new CambiumError('usage', 'Who is asked?', { hint: 'Name them first: `cambium ask --blind @prime @zealot "which index do we need?"`' });
  return agents;
}

function named(session: Session, agent: string): AgentId {
  requireAgent(session, agent);
  if (agent === session.agent) throw new CambiumError('refused', `${agent} asks, and cannot be asked.`, { hint: 'Name others.' });
  if (agentNamed(session.fleet.config, agent).provider === 'runbook') {
    throw new CambiumError('refused', `${agent} runs runbooks only, and answers nobody.`, { hint: `Give it another provider in cambium.yaml: \`agents: { ${agent}: { provider: claude } }\`.` });
  }
  return agent;
}

export interface Opinion {
  readonly agent: AgentId;
  /** `failed`: it has ended without an answer, or nothing wakes it; `reason` says why. */
  readonly state: 'answered' | 'failed' | 'waiting';
  /** As its spawn's record says; null where there is none. */
  readonly provider: string | null;
  readonly model: string | null;
  /** Null where it named none. */
  readonly verdict: string | null;
  readonly reason: string;
  /** Id of the answer; null without one. */
  readonly message: string | null;
  readonly spawn: string | null;
}

/** How things stand with each that was asked, in the order in which they were. */
export async function opinionsOn(session: Session, { messages }: Pick<Asked, 'messages'>): Promise<readonly Opinion[]> {
  const talk = await readTalk(session);
  const { unwoken } = wakesAmong(session, talk);
  return Promise.all(messages.map(async (asked) => {
    const answer = answerTo(talk, asked);
    if (answer !== undefined) return opinionOf(session, asked.agent, answer);
    const none = { agent: asked.agent, provider: null, model: null, verdict: null, message: null };
    const awake = [...talk.wakes.values()].find(({ wake }) => wake.agent === asked.agent && wake.messages.includes(asked.id))?.wake;
    if (awake !== undefined) return { ...none, state: 'waiting', reason: `it answers on ${awake.node}`, spawn: awake.spawn };
    const kept = unwoken.find(({ message, name }) => message === asked.id && name === asked.agent);
    if (kept !== undefined) return { ...none, state: kept.waits === true ? 'waiting' : 'failed', reason: kept.reason, spawn: null };
    return { ...none, state: 'waiting', reason: 'it has not begun', spawn: null };
  }));
}

function answerTo({ conversations }: Talk, { agent, id, place }: AskedOne): Message | undefined {
  const conversation = conversations.find((found) => placeFolder(found.place) === placeFolder(place));
  return conversation?.messages.find((message) => agentSpeaking(message) === agent && message.answers.includes(id));
}

async function opinionOf({ clone, fleet }: Session, agent: AgentId, { id, kind, text, spawn }: Message): Promise<Opinion> {
  const record = spawn === null ? null : await recordedSpawn(clone.store, fleet.main.tree, spawn);
  const judgement = kind === 'say' ? parseJudgement(text) : { verdict: null, reason: text.trim() };
  return { agent, state: kind === 'say' ? 'answered' : 'failed', provider: record?.provider ?? null, model: record?.model ?? null, ...judgement, message: id, spawn };
}

/** Of a reason, in the table that is posted: whoever wants more finds the answer itself. */
const REASON_CHARS_MAX = 2_000;

/** The table as a message of whoever asked. It wakes nobody: what agents said to agents in it is only told here. */
export async function postOpinions(session: Session, channel: string, { question, group, asOf }: Pick<Asked, 'question' | 'group' | 'asOf'>, opinions: readonly Opinion[], late: string | null): Promise<string> {
  const cell = (text: string): string => text.slice(0, REASON_CHARS_MAX).replace(/\s+/g, ' ').replaceAll('|', '\\|').trim();
  const rows = opinions.map(({ agent, provider, model, verdict, reason, state }) => `| ${[agent, [provider, model].filter((part) => part !== null).join('/') || '–', verdict ?? '–', state === 'answered' ? reason : `(no answer: ${reason})`].map(cell).join(' | ')} |`);
  const head = group === null ? 'Asked' : `Asked blind, on main as of ${String(asOf).slice(0, 10)}`;
  const text = [`${head}: ${question}`, '', '| agent | model | verdict | reason |', '|---|---|---|---|', ...rows, ...(late === null ? [] : ['', late])].join('\n');
  return (await writeMessage(session, undefined, withoutMentions(text), { channel })).id;
}

/** The names stay, without the `@` that would call them. */
export function withoutMentions(text: string): string {
  const names = mentionsIn(text);
  return names.length === 0 ? text : withoutMentions(names.reduce((said, name) => said.replaceAll(`@${name}`, name), text));
}
