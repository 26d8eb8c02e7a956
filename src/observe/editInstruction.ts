/** Changing an instruction file as its author asks: comments, order and unknown keys of the front matter stay as they are. */
import { isScalar, parseDocument } from 'yaml';
import { renderInstruction } from './renderInstruction.ts';

export interface InstructionEdit {
  /** Front matter by its names in the file; null takes a key out. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The new text below the front matter. */
  readonly body?: string;
}

const FRONT = /^---[ \t]*\r?\n([\s\S]*?)^---[ \t]*(?:\r?\n|$)/m;

/** `whole` has passed the door (taskFile.ts), so its fences are right. */
export function editInstruction(whole: string, { fields, body }: InstructionEdit): string {
  // A byte order mark would hide the front matter from whoever reads the file after the edit.
  const text = whole.replace(/^\uFEFF/, '');
  const found = text.startsWith('---') ? FRONT.exec(text) : null;
  const rest = body === undefined ? text.slice(found?.[0].length ?? 0) : `\n${body.trim()}\n`;
  const said = Object.entries(fields).filter(([, value]) => value !== undefined);
  if (found === null) {
    const kept = said.filter(([, value]) => value !== null);
    // A new text that begins with a rule must not become front matter.
    if (kept.length === 0) return body === undefined ? text : rest.trimStart().startsWith('---') ? rest : rest.trimStart();
    const { title, ...others } = Object.fromEntries(kept);
    return title === undefined ? `---\n${front(others)}---\n${rest.startsWith('\n') ? '' : '\n'}${rest}` : renderInstruction({ title: String(title), body: rest, fields: others });
  }
  const document = parseDocument(found[1] ?? '');
  for (const [key, value] of said) {
    const now = document.get(key, true);
    if (value === null) document.delete(key);
    // A value that is only changed keeps the comment beside it.
    else if (isScalar(now) && typeof value !== 'object') now.value = value;
    else document.set(key, document.createNode(value, { flow: Array.isArray(value) }));
  }
  return `---\n${document.toString({ lineWidth: 0, flowCollectionPadding: true })}---\n${rest}`;
}

function front(fields: Readonly<Record<string, unknown>>): string {
  const document = parseDocument('{}');
  document.contents = document.createNode(fields) as typeof document.contents;
  return document.toString({ lineWidth: 0 });
}
