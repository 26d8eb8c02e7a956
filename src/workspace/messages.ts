/** Messages between agents and people: one new file each, so that two who speak at once never conflict. */
import { addFilesMember } from '../act/addFile.ts';
import { publish } from '../act/publish.ts';
import type { Published } from '../act/publish.ts';
import { CambiumError } from '../errors.ts';
import { isAgentId, isId, proposeId } from '../model/ids.ts';
import type { Oid } from '../model/ids.ts';
import { renderMessage } from '../model/message.ts';
import { parseMessage } from '../observe/messageFile.ts';
import type { Message } from '../observe/messageFile.ts';
import { renderMessageFile } from '../observe/renderMessageFile.ts';
import { entryAt } from '../observe/tree.ts';
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
}

export interface SentMessage {
  readonly id: string;
  readonly path: string;
  readonly commit: Oid;
}

const MENTION = /(?:^|[^\w@])@([a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)/g;

/** `speaker` is an agent's id; without one the person of this clone speaks. Throws `usage`. */
export async function writeMessage(session: Session, speaker: string | undefined, text: string, options: MessageOptions = {}): Promise<SentMessage> {
  const { clone, node } = session;
  if (text.trim() === '') throw new CambiumError('usage', 'The message is empty.');
  if (speaker !== undefined && !isAgentId(speaker)) throw new CambiumError('usage', `${speaker} is no good agent id.`, { hint: `Use lower-case letters, digits, - and _: ${proposeId(speaker)}` });
  const speaking = { ...session, agent: speaker ?? session.agent };
  const by = await actor(speaking);
  const id = clone.clock.ulid();
  const { folder, channel, to } = placeOf(options);
  const from = speaking.agent === undefined ? `human:${proposeId(by.name)}` : `agent:${speaking.agent}`;
  const mentions = [...new Set([...text.matchAll(MENTION)].map(([, name]) => name as string).filter(isAgentId))];
  const path = `${folder}/${id}.md`;
  const message: Omit<Message, 'path'> = { id, from, channel, to, mentions, kind: 'say', replyTo: options.replyTo ?? null, chain: [], hops: 0, at: clone.clock.now().toISOString(), text };
  const content = renderMessageFile(message);
  const problem = parseMessage({ path, bytes: Buffer.from(content) });
  if ('reason' in problem) throw new CambiumError('usage', `Nobody could read this message: ${problem.reason}`);
  const where = channel === null ? `to ${to.join(', ')}` : `in ${channel}`;
  const member = addFilesMember(node, { key: id, by, message: renderMessage({ subject: `${by.name}: message ${where}`, trailers: { Kind: 'message', Agent: speaking.agent ?? null, Node: node.identity.node, 'Msg-Id': id } }), files: async () => new Map([[path, content]]) });
  const commit = published(id, (await publish(node, [member], { trustKnown: true })).get(id) as Published<Oid | null>);
  await syncAfterward(session);
  return { id, path, commit: commit as Oid };
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
  return messages.filter(({ at }) => since === undefined || Date.parse(at) > afterMs).toSorted((a, b) => (a.id < b.id ? -1 : 1));
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
