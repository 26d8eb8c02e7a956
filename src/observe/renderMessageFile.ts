/** Writes a message as messageFile.ts reads it. */
import { Document } from 'yaml';
import { MESSAGE_SCHEMA } from './messageFile.ts';
import type { Message } from './messageFile.ts';

export function renderMessageFile({ id, from, channel, to, mentions, kind, replyTo, chain, hops, at, text }: Omit<Message, 'path'>): string {
  const place = channel === null ? { to } : { channel };
  const document = new Document({ schema: MESSAGE_SCHEMA, id, from, ...place, mentions, kind, reply_to: replyTo, chain, hops, at });
  return `---\n${document.toString({ lineWidth: 0, collectionStyle: 'any', flowCollectionPadding: false })}---\n${text.trim()}\n`;
}
