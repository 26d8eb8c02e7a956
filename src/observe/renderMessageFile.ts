/**
 * Writes a message as messageFile.ts reads it, whatever an agent has said: an answer that nobody could read would settle
 * nothing, and its agent would be paid for it again and again.
 */
import { Document } from 'yaml';
import { MESSAGE_SCHEMA } from './messageFile.ts';
import type { Message } from './messageFile.ts';

export function renderMessageFile({ id, from, channel, to, mentions, kind, replyTo, chain, hops, thread, spawn, session, group, asOf, answers, request, tasks = [], at, text }: Omit<Message, 'path'>): string {
  const place = channel === null ? { to } : { channel };
  const document = new Document({ schema: MESSAGE_SCHEMA, id, from, ...place, mentions, kind, reply_to: replyTo, chain, hops, ...(thread === null ? {} : { thread }), ...(spawn === null ? {} : { spawn }), ...(session === null ? {} : { session }), ...(group === undefined ? {} : { group }), ...(asOf === undefined ? {} : { as_of: asOf }), ...(answers.length === 0 ? {} : { answers }), ...(request === true ? { request } : {}), ...(tasks.length === 0 ? {} : { tasks }), at });
  return `---\n${document.toString({ lineWidth: 0, collectionStyle: 'any', flowCollectionPadding: false })}---\n${readable(text)}\n`;
}

/** What decodeText refuses is taken out or written otherwise: NUL, carriage returns, half characters, the markers of a merge. */
function readable(text: string): string {
  return text.replaceAll('\0', '').replace(/\r\n?/g, '\n').replace(/\p{Surrogate}/gu, '\ufffd').trim().replace(/^(?=(?:<{7}|>{7})(?: |$))/gm, ' ');
}
