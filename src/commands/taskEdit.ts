/** `cambium task edit`. */
import { readInput } from '../adapters/system/files.ts';
import { CambiumError } from '../errors.ts';
import { editTask } from '../workspace/editTask.ts';
import { withSession } from '../workspace/session.ts';
import type { Answer } from './output.ts';
import { fieldsOf } from './taskFieldOptions.ts';
import type { FieldOptions } from './taskFieldOptions.ts';

export interface EditOptions extends FieldOptions {
  readonly title?: string | undefined;
  readonly body?: string | undefined;
}

export async function editCommand(id: string, options: EditOptions): Promise<Answer> {
  const fields = { ...(options.title === undefined ? {} : { title: options.title }), ...fieldsOf(options) };
  if (Object.keys(fields).length === 0 && options.body === undefined) throw new CambiumError('usage', 'What shall change?', { hint: `For example \`cambium task edit ${id} --priority 0\`, or \`--body FILE\` for a new text. In a checkout you may also just edit tasks/${id}.md.` });
  const edit = { fields, ...(options.body === undefined ? {} : { body: await readInput(options.body) }) };
  return withSession({ needsHub: true }, async (session) => {
    const edited = await editTask(session, id, edit);
    const told = session.fleet.config.landing.onEdit === 'rebrief' ? 'goes on, with the new text only' : 'is stopped, and the task is claimed anew';
    return { data: edited, text: edited.commit === null ? `${id} says so already.` : `${id} is changed: ${edited.path}${edited.held_by === null ? '' : `\n${edited.held_by} works on it and ${told}.`}` };
  });
}
