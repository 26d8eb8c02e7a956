/** What the dialects share on the wire: event streams, JSON answers, and the last round of a conversation. */
import type { Answer, Asked, Reply, ToolResult } from './script.ts';

export type Round = { readonly kind: 'prompt'; readonly text: string } | { readonly kind: 'reply' } | { readonly kind: 'result'; readonly result: ToolResult };

/** Server-sent events; the ones with a `type` name themselves in the `event:` line too. */
export function eventStream(events: readonly Readonly<Record<string, unknown>>[]): Answer {
  const named = (event: Readonly<Record<string, unknown>>): string => (typeof event['type'] === 'string' ? `event: ${event['type']}\n` : '');
  return { status: 200, headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }, pieces: events.map((event) => `${named(event)}data: ${JSON.stringify(event)}\n\n`) };
}

export const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer => ({ status, headers: { 'content-type': 'application/json', ...headers }, pieces: [JSON.stringify(body)] });

/** A text comes whole, or word by word where the reply dribbles. */
export const pieces = (text: string, reply: Reply): readonly string[] => (reply.dribbleMs === undefined ? [text] : (text.match(/\S+\s*/g) ?? [text]));

/** The text in a string, a block with `text`, or a list of either; everything else is empty. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(textOf).filter((text) => text !== '').join('\n');
  if (typeof value !== 'object' || value === null || !('text' in value)) return '';
  return typeof value.text === 'string' ? value.text : '';
}

/** Prompts in order, and what came after the last of them. Prompts next to each other count as one: nothing was said between them. */
export function lastRound(rounds: readonly Round[]): Pick<Asked, 'prompts' | 'prompt' | 'replies' | 'results'> {
  const since = rounds.slice(rounds.findLastIndex(({ kind }) => kind === 'prompt') + 1);
  const prompts = rounds.flatMap((round) => (round.kind === 'prompt' ? [round.text] : []));
  return { prompts, prompt: prompts.at(-1) ?? '', replies: repliesIn(since), results: since.flatMap((round) => (round.kind === 'result' ? [round.result] : [])) };
}

/** One answer of the model may be several entries in a row (a text and its calls); results end it. */
const repliesIn = (rounds: readonly Round[]): number => rounds.filter((round, index) => round.kind === 'reply' && rounds[index - 1]?.kind !== 'reply').length;
