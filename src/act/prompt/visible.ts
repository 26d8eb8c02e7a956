/**
 * Texts as an agent is shown them: what nobody would see in an editor is written out, so that a text says to a model what it
 * says to a person. Bidirectional overrides reorder words, tag characters and runs of variation selectors carry whole hidden
 * sentences, control characters drive the terminal of whoever reads the log. Pure.
 */

/** Joiners and single variation selectors stay: scripts and emoji need them. */
// oxlint-disable-next-line no-control-regex -- control characters are exactly what is written out
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e01ef}]|[\ufe00-\ufe0f]{2,}|[\ud800-\udfff]/gu;

/** Line ends become `\n`; each character that cannot be seen becomes `\u{…}` with its number. */
export function visible(text: string): string {
  return text.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n').replace(UNSEEN, (found) => [...found].map((char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`).join(''));
}

/** Origins and names: one line, no longer than `most` characters. */
export function visibleLine(text: string, most = 300): string {
  const line = visible(text).replace(/\s+/g, ' ').trim();
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`;
}

/** The first or last characters of a text, no surrogate pair torn. */
export function firstChars(text: string, most: number): string {
  return text.slice(0, most > 0 && /[\ud800-\udbff]/.test(text[most - 1] ?? '') ? most - 1 : most);
}

export function lastChars(text: string, most: number): string {
  const from = Math.max(0, text.length - most);
  return text.slice(/[\udc00-\udfff]/.test(text[from] ?? '') ? from + 1 : from);
}
