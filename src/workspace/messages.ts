/** Messages between agents and people: one new file each, so that two who speak at once never conflict. */
import { addFilesMember } from '../act/addFile.ts';
import { publish } from '../act/publish.ts';
import type { Published } from '../act/publish.ts';
import { variable } from '../adapters/system/environment.ts';
import { CambiumError } from '../errors.ts';
import { isAgentId, isId, proposeId } from '../model/ids.ts';
import type { Oid } from '../model/ids.ts';
import { renderMessage } from '../model/message.ts';
import { mentionsIn } from '../model/talk.ts';
import { parseMessage } from '../observe/messageFile.ts';
import type { Message } from '../observe/messageFile.ts';
import { renderMessageFile } from '../observe/renderMessageFile.ts';
import type { Clock } from '../ports/clock.ts';
import { entryAt } from '../observe/tree.ts';
import { readTalk, withheldHere } from './channels.ts';
import { published } from './published.ts';
import { actor } from './session.ts';
import type { Session } from './session.ts';
import { syncAfterward } from './sync.ts';

export type { Message } from '../observe/messageFile.ts';

export interface MessageOptions {
  /** Where it is said; `general` when unsaid. */
  readonly channel?: string;
  /** An agent's inbox instead of a channel. */
  readonly to?: string;
  readonly replyTo?: string;
  /** The ended spawn whose session is to answer. */
  readonly session?: string;
  /** It asks a coordinator for work (`cambium request`), and the nodes keep that agent informed of the tasks that come of it. */
  readonly request?: boolean;
  /** Of a question that several are asked blind: its id, and the main commit on which it is asked. */
  readonly group?: string;
  readonly asOf?: Oid;
}

export interface SentMessage {
  readonly id: string;
  readonly path: string;
  readonly commit: Oid;
}

/** `speaker` is an agent's id; without one the person of this clone speaks. Throws `usage`. */
export async function writeMessage(session: Session, speaker: string | undefined, text: string, options: MessageOptions = {}): Promise<SentMessage> {
  const [sent] = await writeMessages(session, speaker, text, [options]);
  return sent as SentMessage;
}

/** The same text to several places: all of them or none, in one commit. Throws `usage`. */
export async function writeMessages(session: Session, speaker: string | undefined, text: string, places: readonly MessageOptions[]): Promise<readonly SentMessage[]> {
  const { clone, node } = session;
  if (text.trim() === '') throw new CambiumError('usage', 'The message is empty.');
  if (speaker !== undefined && !isAgentId(speaker)) throw new CambiumError('usage', `${speaker} is no good agent id.`, { hint: `Use lower-case letters, digits, - and _: ${proposeId(speaker)}` });
  const speaking = { ...session, agent: speaker ?? session.agent };
  const by = await actor(speaking);
  const from = speaking.agent === undefined ? `human:${proposeId(by.name)}` : `agent:${speaking.agent}`;
  const drafts = places.map((options) => draftOf(clone.clock, from, { ...provenance(speaking.agent), text }, options));
  const ids = drafts.map(({ id }) => id);
  const key = ids[0] as string;
  const subject = `${by.name}: message ${drafts.map(({ channel, to }) => (channel === null ? `to ${to.join(', ')}` : `in ${channel}`)).join(', ')}`;
  const member = addFilesMember(node, {
    key, by, message: renderMessage({ subject, trailers: { Kind: 'message', Agent: speaking.agent ?? null, Node: node.identity.node, 'Msg-Id': ids.join(' ') } }),
    files: async () => new Map(drafts.map(({ path, content }) => [path, content])),
  });
  const commit = published(key, (await publish(node, [member], { trustKnown: true })).get(key) as Published<Oid | null>) as Oid;
  await syncAfterward(session);
  return drafts.map(({ id, path }) => ({ id, path, commit }));
}

interface Draft extends Pick<Message, 'id' | 'path' | 'channel' | 'to'> {
  readonly content: string;
}

/** The file as it will stand. Throws `usage` for a place that is none, and for what nobody could read. */
function draftOf(clock: Clock, from: string, said: Pick<Message, 'chain' | 'hops' | 'thread' | 'spawn' | 'text'>, options: MessageOptions): Draft {
  const id = clock.ulid();
  const { folder, channel, to } = placeOf(options);
  const { group, asOf } = options;
  const path = `${folder}/${id}.md`;
  const message: Omit<Message, 'path'> = {
    id, from, channel, to, mentions: mentionsIn(said.text), kind: 'say', replyTo: options.replyTo ?? null, ...said, session: options.session ?? null,
    ...(group === undefined ? {} : { group }), ...(asOf === undefined ? {} : { asOf }), answers: [], ...(options.request === true ? { request: true } : {}), at: clock.now().toISOString(),
  };
  const content = renderMessageFile(message);
  const problem = parseMessage({ path, bytes: Buffer.from(content) });
  if ('reason' in problem) throw new CambiumError('usage', `Nobody could read this message: ${problem.reason}`);
  return { id, path, channel, to, content };
}

/**
 * What an agent says carries whom its cause has woken, so that no loop can begin: told to its process by the node that
 * started it. An agent that works on a task, or in a session of its own, begins a chain.
 */
function provenance(agent: string | undefined): Pick<Message, 'chain' | 'hops' | 'thread' | 'spawn'> {
  if (agent === undefined) return { chain: [], hops: 0, thread: null, spawn: null };
  const chain = (variable('CAMBIUM_CHAIN') ?? '').split(',').filter(isAgentId);
  const hops = Number(variable('CAMBIUM_HOPS') ?? 0);
  return { chain: [...new Set([...chain, agent])], hops: Number.isInteger(hops) && hops >= 0 ? hops + 1 : 1, thread: variable('CAMBIUM_THREAD') ?? null, spawn: variable('CAMBIUM_SPAWN') ?? null };
}

function placeOf({ channel = 'general', to }: MessageOptions): { readonly folder: string; readonly channel: string | null; readonly to: readonly string[] } {
  if (to !== undefined) {
    if (!isAgentId(to)) throw new CambiumError('usage', `${to} is no good agent id.`, { hint: `Use lower-case letters, digits, - and _: ${proposeId(to)}` });
    return { folder: `agents/${to}/inbox`, channel: null, to: [to] };
  }
  if (!isId(channel)) throw new CambiumError('usage', `${channel} is no good channel name.`, { hint: `Use lower-case letters, digits, - and _: ${proposeId(channel)}` });
  return { folder: `agents/channels/${channel}`, channel, to: [] };
}

export interface ReadOptions {
  /** UTC ISO time: only what was said after it. */
  readonly since?: string;
  readonly channel?: string;
  /** That agent's inbox as well as the channels. */
  readonly inbox?: string;
}

/** Oldest first. A file that cannot be read is left out: `cambium check` names it. Throws `usage` for a bad time. */
export async function readMessages(session: Session, { since, channel, inbox }: ReadOptions = {}): Promise<readonly Message[]> {
  const afterMs = since === undefined ? -Infinity : Date.parse(since);
  if (Number.isNaN(afterMs)) throw new CambiumError('usage', `${since} is no time.`, { hint: 'Write it as 2026-11-21T08:00:00Z.' });
  const channels = channel === undefined ? await foldersIn(session, 'agents/channels') : [channel];
  const folders = [...channels.map((name) => `agents/channels/${name}`), ...(inbox === undefined ? [] : [`agents/${inbox}/inbox`])];
  const messages = (await Promise.all(folders.map((folder) => messagesIn(session, folder)))).flat();
  const withheld = withheldHere(session, await readTalk(session));
  return messages.filter(({ id }) => !withheld.has(id)).filter(({ at }) => since === undefined || Date.parse(at) > afterMs).toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

async function foldersIn({ clone, fleet }: Session, path: string): Promise<readonly string[]> {
  const folder = await entryAt(clone.store, fleet.main.tree, path);
  return folder?.mode === '40000' ? (await clone.store.readTree(folder.oid)).filter(({ mode }) => mode === '40000').map(({ name }) => name) : [];
}

async function messagesIn({ clone, fleet }: Session, path: string): Promise<readonly Message[]> {
  const folder = await entryAt(clone.store, fleet.main.tree, path);
  if (folder?.mode !== '40000') return [];
  const files = (await clone.store.readTree(folder.oid)).filter(({ name, mode }) => name.endsWith('.md') && (mode === '100644' || mode === '100755'));
  const read = await Promise.all(files.map(async ({ name, oid }) => parseMessage({ path: `${path}/${name}`, bytes: await clone.store.readBlob(oid) })));
  return read.filter((message): message is Message => !('reason' in message));
}
