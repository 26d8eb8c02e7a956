/** A message in a channel or an inbox (docs/formats.md): front matter that says who speaks to whom, and the text. */
import { isAgentId, isId } from '../model/ids.ts';
import { isMention, isMessageId } from '../model/talk.ts';
import type { Message } from '../model/talk.ts';
import type { Quarantined } from '../model/task.ts';
import { readFrontMatter } from './frontMatter.ts';
import { type Fault, type Rule, agentId, anyText, bool, faultText, id, judgeSchema, listOf, oid, oneOf, shape, string, whole } from './rules.ts';
import { decodeText, isQuarantined } from './text.ts';
import type { Path, ScalarKind } from './yaml.ts';

export const MESSAGE_SCHEMA = 'cambium.message/1';

export type { Message } from '../model/talk.ts';

/** Null and an absent key mean "unsaid". */
const unsaidOr = (rule: Rule): Rule => (value) => (value === undefined || value === null ? null : rule(value));
const mention: Rule = string('must be agents, `human`, `all` or `role:<role>`', isMention);
const isSpeaker = (value: string): boolean => /^(?:agent|human|node):\S(?:.*\S)?$/u.test(value);

const MESSAGE: Rule = shape({
  schema: oneOf([MESSAGE_SCHEMA]),
  id: string('must be the file\'s name without `.md`', isMessageId),
  from: string('must be agent:<id>, human:<name> or node:<id>', isSpeaker),
  channel: unsaidOr(id),
  to: unsaidOr(listOf(agentId)),
  mentions: unsaidOr(listOf(mention)),
  kind: unsaidOr(oneOf(['say', 'ack', 'system'])),
  reply_to: unsaidOr(anyText),
  chain: unsaidOr(listOf(agentId)),
  hops: unsaidOr(whole(0)),
  thread: unsaidOr(string('must be the id of a message', isMessageId)),
  spawn: unsaidOr(anyText),
  session: unsaidOr(anyText),
  group: unsaidOr(string('must be an id', isMessageId)),
  as_of: unsaidOr(oid),
  answers: unsaidOr(listOf(string('must be ids of messages', isMessageId))),
  request: unsaidOr(bool),
  tasks: unsaidOr(listOf(anyText)),
  at: anyText,
});

export function messageScalarKind(path: Path): ScalarKind {
  return path[0] === 'hops' ? 'number' : path[0] === 'request' ? 'any' : 'text';
}

/** True for the path of a message: `agents/channels/<channel>/<id>.md` or `agents/<agent>/inbox/<id>.md`. */
export function isMessagePath(path: string): boolean {
  const [top, first = '', second = '', name = '', ...rest] = path.split('/');
  if (top !== 'agents' || rest.length > 0 || !name.endsWith('.md') || name === 'README.md' || /^[._]/u.test(name)) return false;
  return first === 'channels' ? isId(second) : isAgentId(first) && second === 'inbox';
}

/** Never throws. `path` is where it stands: its name is the id, its folder the channel or the inbox. */
export function parseMessage({ path, bytes }: { readonly path: string; readonly bytes: Uint8Array }): Message | Quarantined {
  const decoded = decodeText(path, bytes);
  if (typeof decoded !== 'string') return decoded;
  const front = readFrontMatter(path, decoded, messageScalarKind);
  if (isQuarantined(front)) return front;
  const { data, lines, body } = front;
  if (judgeSchema(data['schema'], MESSAGE_SCHEMA) === 'too-new') {
    return { path, line: lines.get('schema') ?? 1, reason: `schema-too-new: ${String(data['schema'])} is newer than ${MESSAGE_SCHEMA}.`, mend: 'Upgrade cambium on this machine.' };
  }
  const fault = MESSAGE(data) ?? placeFault(path, data as unknown as Fields);
  if (fault !== null) return { path, line: lines.get(String(fault.at[0])) ?? 1, reason: `${faultText(fault)}.`, mend: 'Correct the front matter; docs/formats.md shows a whole message.' };
  return messageOf(path, data as unknown as Fields, body);
}

type Fields = Partial<Omit<Message, 'path' | 'replyTo' | 'text' | 'asOf'>> & Pick<Message, 'id' | 'from' | 'at'> & { readonly reply_to?: string | null; readonly as_of?: string | null };

/** What the front matter says of its place must be where it stands, or two readers would see two messages. */
function placeFault(path: string, { id: said, channel, to }: Fields): Fault | null {
  const [, first, folder, name = ''] = path.split('/');
  if (`${said}.md` !== name) return { at: ['id'], must: `must be ${name.replace(/\.md$/u, '')}, as the file is called` };
  if (first === 'channels') return (channel ?? null) === folder ? null : { at: ['channel'], must: `must be ${folder}, the folder it stands in` };
  return (to ?? []).includes(first as string) ? null : { at: ['to'], must: `must name ${first}, whose inbox it stands in` };
}

function messageOf(path: string, said: Fields, text: string): Message {
  return {
    path, id: said.id, from: said.from, channel: said.channel ?? null, to: said.to ?? [], mentions: said.mentions ?? [], kind: said.kind ?? 'say',
    replyTo: said.reply_to ?? null, chain: said.chain ?? [], hops: said.hops ?? 0, thread: said.thread ?? null, spawn: said.spawn ?? null, session: said.session ?? null, answers: said.answers ?? [],
    ...(typeof said.group === 'string' ? { group: said.group } : {}), ...(typeof said.as_of === 'string' ? { asOf: said.as_of } : {}),
    ...(said.request === true ? { request: true } : {}), ...((said.tasks ?? []).length === 0 ? {} : { tasks: said.tasks as readonly string[] }), at: said.at, text,
  };
}
