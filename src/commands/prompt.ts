/** `cambium prompt`: standard output is what the agent would read on its standard input, byte for byte. */
import { showPrompt } from '../workspace/prompt.ts';
import type { PromptQuery, ShownPrompt } from '../workspace/prompt.ts';
import { withSession } from '../workspace/session.ts';
import { table } from './output.ts';
import type { Answer } from './output.ts';

export interface PromptOptions extends PromptQuery {
  readonly node?: string | undefined;
  /** The sizes of its parts in place of the prompt. */
  readonly sizes?: boolean | undefined;
}

export function promptCommand({ node, sizes, ...query }: PromptOptions): Promise<Answer> {
  return withSession({ needsHub: false, node }, async (session) => {
    const data = await showPrompt(session, query);
    if (session.stale !== null) session.note(`the hub could not be asked, so this is from what the clone last saw: ${session.stale}`);
    for (const note of data.notes) session.note(note);
    // Printing adds the line end that the prompt has already.
    return { data, text: sizes === true ? sizesText(data) : data.prompt.replace(/\n$/, '') };
  });
}

function sizesText({ parts, prompt, tokens, budget_tokens: budget }: ShownPrompt): string {
  const rows = parts.map(({ name, chars, tokens: estimate, cut }) => [name, String(chars), String(estimate), cut === 0 ? '' : `${cut} characters cut`]);
  return table([['part', 'characters', 'tokens', ''], ...rows, ['all', String(prompt.length), String(tokens), `of ${budget}`]]);
}
