/** Fitting a prompt into its budget: what is cut, in which order, and how each part then stands there. Pure. */
import { CHARS_PER_TOKEN } from '../../model/prompt.ts';
import type { PromptPartName, PromptPartSize } from '../../model/prompt.ts';

/** One text of a section. */
export interface Piece {
  /** Characters of it that may be shown or not. */
  readonly chars: number;
  /** How it is shortened: to its first or its last characters, but never below `least`; or left out as a whole. */
  readonly cut: 'to-first' | 'to-last' | 'whole' | 'never';
  readonly least: number;
  /** As it stands in the prompt with so many of its characters: all of `chars` is the whole; less names what is left out. */
  show(kept: number): string;
}

export interface Section {
  readonly name: PromptPartName;
  /** Heading and introduction; told how many of its pieces are left out as a whole. */
  intro(dropped: number): string;
  readonly pieces: readonly Piece[];
}

/** A shorter head than this tells nothing: then the piece is left out. */
const HEAD_MIN = 400;
/** What it takes to name a cut. */
const NOTE_CHARS = 160;
const BETWEEN = '\n\n';

/**
 * What is cut goes in this order: what was said before, oldest first; memory, context files, the role's page and what the
 * agent is, each from the last; then the beginning of what was wrong before. Never the task, its criteria, or what is to be
 * answered.
 */
export function cutOrder(sections: readonly Section[]): readonly Piece[] {
  const of = (name: PromptPartName): readonly Piece[] => sections.filter((section) => section.name === name).flatMap(({ pieces }) => pieces).filter(({ cut }) => cut !== 'never');
  return [...of('history'), ...(['memory', 'context', 'role', 'self'] as const).flatMap((name) => of(name).toReversed()), ...of('feedback')];
}

/** Characters that each piece keeps; a piece that is not named keeps all. */
export function fit(sections: readonly Section[], budget: number): ReadonlyMap<Piece, number> {
  const kept = new Map<Piece, number>();
  const order = cutOrder(sections);
  let over = render(sections, kept).length - budget * CHARS_PER_TOKEN;
  // The line that tells how many messages are missing comes with the first that is.
  if (over > 0 && order.some(({ cut }) => cut === 'whole')) over += NOTE_CHARS;
  for (const piece of order) {
    if (over <= 0) break;
    const keeps = keepOf(piece, over);
    const saved = piece.show(piece.chars).length - piece.show(keeps).length;
    if (saved <= 0) continue;
    kept.set(piece, keeps);
    over -= saved;
  }
  return kept;
}

function keepOf({ chars, cut, least }: Piece, over: number): number {
  const rest = chars - over - NOTE_CHARS;
  if (cut === 'whole') return 0;
  return rest >= HEAD_MIN ? Math.max(rest, Math.min(least, chars)) : Math.min(least, chars);
}

export function render(sections: readonly Section[], kept: ReadonlyMap<Piece, number>): string {
  return rendered(sections, kept).map(({ text }) => text).join('');
}

/** Each section with the blank line that parts it from the next; together they are the text. */
function rendered(sections: readonly Section[], kept: ReadonlyMap<Piece, number>): readonly { readonly name: PromptPartName; readonly text: string; readonly cut: number }[] {
  const bodies = sections.map(({ name, intro, pieces }) => {
    const dropped = pieces.filter((piece) => piece.cut === 'whole' && kept.has(piece)).length;
    const texts = [intro(dropped), ...pieces.map((piece) => piece.show(kept.get(piece) ?? piece.chars))];
    const cut = pieces.reduce((sum, piece) => sum + piece.chars - (kept.get(piece) ?? piece.chars), 0);
    return { name, text: texts.filter((text) => text !== '').join(BETWEEN), cut };
  }).filter(({ text }) => text !== '');
  return bodies.map((body, at) => ({ ...body, text: `${body.text}${at === bodies.length - 1 ? '\n' : BETWEEN}` }));
}

export function partSizes(sections: readonly Section[], kept: ReadonlyMap<Piece, number>): readonly PromptPartSize[] {
  return rendered(sections, kept).map(({ name, text, cut }) => ({ name, chars: text.length, tokens: tokensOf(text.length), cut }));
}

export function tokensOf(chars: number): number {
  return Math.ceil(chars / CHARS_PER_TOKEN);
}
