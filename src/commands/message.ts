/** `cambium message send|list`. */
import { readInput } from '../adapters/system/files.ts';
import { readMessages, writeMessage } from '../workspace/messages.ts';
import { withSession } from '../workspace/session.ts';
import { plain } from '../workspace/plain.ts';
import type { Answer } from './output.ts';

export interface SendOptions {
  readonly channel?: string | undefined;
  readonly to?: string | undefined;
  readonly replyTo?: string | undefined;
  readonly agent?: string | undefined;
}

/** `-` reads the text from standard input. */
export async function sendCommand(text: string, { channel, to, replyTo, agent }: SendOptions): Promise<Answer> {
  const said = text === '-' ? await readInput('-') : text;
  return withSession({ needsHub: true }, async (session) => {
    const data = await writeMessage(session, agent, said, { ...(channel === undefined ? {} : { channel }), ...(to === undefined ? {} : { to }), ...(replyTo === undefined ? {} : { replyTo }) });
    return { data, text: `Said: ${data.path}` };
  });
}

export interface ListOptions {
  readonly since?: string | undefined;
  readonly channel?: string | undefined;
  readonly inbox?: string | undefined;
}

export function messagesCommand({ since, channel, inbox }: ListOptions): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const messages = await readMessages(session, { ...(since === undefined ? {} : { since }), ...(channel === undefined ? {} : { channel }), ...(inbox === undefined ? {} : { inbox }) });
    const lines = messages.map(({ at, from, channel: place, to, text }) => `${plain(at)}  ${plain(from)}  ${place === null ? `to ${to.join(', ')}` : `#${place}`}\n  ${plain(text.trim()).replaceAll('\n', '\n  ')}`);
    return { data: { messages }, text: lines.length === 0 ? 'Nothing was said.' : lines.join('\n') };
  });
}
