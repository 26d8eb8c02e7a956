/** `cambium task add`. */
import { readInput } from '../adapters/system/files.ts';
import { CambiumError } from '../errors.ts';
import { addTask } from '../workspace/addTask.ts';
import type { AddedTask, NewTask } from '../workspace/addTask.ts';
import { withSession } from '../workspace/session.ts';
import { fieldsOf } from './taskFieldOptions.ts';
import type { FieldOptions } from './taskFieldOptions.ts';
import type { Answer } from './output.ts';

export interface AddOptions extends FieldOptions {
  readonly id?: string | undefined;
  readonly body?: string | undefined;
  /** One task, or a list of them, as JSON: a file, or - for standard input. */
  readonly from?: string | undefined;
}

export async function addCommand(title: string | undefined, options: AddOptions): Promise<Answer> {
  if (options.from !== undefined) return addFromJson(await readInput(options.from), options.from);
  if (title === undefined && options.body === undefined) throw new CambiumError('usage', 'The task has no title.', { hint: 'cambium task add "Add a login form", or --from FILE for one that is written as JSON.' });
  const task: NewTask = { ...(title === undefined ? {} : { title }), ...(options.id === undefined ? {} : { id: options.id }), ...(options.body === undefined ? {} : { instruction: await readInput(options.body) }), ...fieldsOf(options) };
  return withSession({ needsHub: true }, async (session) => answer(await addTask(session, task)));
}

function answer(added: AddedTask): Answer {
  return { data: added, text: `${added.task} is on the hub: ${added.path}` };
}

async function addFromJson(text: string, file: string): Promise<Answer> {
  const tasks = parseTasks(text, file);
  return withSession({ needsHub: true }, async (session) => {
    const added: AddedTask[] = [];
    for (const task of tasks.list) {
      const fleet = await session.clone.fleets.read(session.clone.mirror.known());
      added.push(await addTask({ ...session, fleet }, task).catch((error: unknown) => { throw added.length === 0 ? error : stoppedAfter(added, error); }));
    }
    return tasks.isList ? { data: { tasks: added }, text: added.map((one) => answer(one).text).join('\n') } : answer(added[0] as AddedTask);
  });
}

/** Those before it are on the hub: given again, they would be added twice. */
function stoppedAfter(added: readonly AddedTask[], error: unknown): unknown {
  if (!(error instanceof CambiumError)) return error;
  const before = `Of the list, ${added.map(({ task }) => task).join(', ')} ${added.length === 1 ? 'was' : 'were'} added before: take ${added.length === 1 ? 'it' : 'them'} out and try the rest again.`;
  return new CambiumError(error.code, error.message, { hint: error.hint === undefined ? before : `${error.hint} ${before}`, data: { ...error.data, added: added.map(({ task }) => task) }, cause: error });
}

function parseTasks(text: string, file: string): { readonly list: readonly NewTask[]; readonly isList: boolean } {
  const hint = 'Write one object, {"description": …, "instruction_file": …}, or a list of them (docs/formats.md).';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CambiumError('usage', `${file} is not JSON: ${(cause as Error).message}`, { hint, cause });
  }
  const list = Array.isArray(value) ? value : [value];
  if (list.length === 0 || list.some((one) => typeof one !== 'object' || one === null || Array.isArray(one))) throw new CambiumError('usage', `${file} holds no task.`, { hint });
  return { list: list as NewTask[], isList: Array.isArray(value) };
}
