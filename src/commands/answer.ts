/** `cambium answer <task> <text>`. */
import { readInput } from '../adapters/system/files.ts';
import { answerTask } from '../workspace/answer.ts';
import { withSession } from '../workspace/session.ts';
import type { Answer } from './output.ts';

/** `-` reads the text from standard input. */
export async function answerCommand(task: string, text: string): Promise<Answer> {
  const said = text === '-' ? await readInput('-') : text;
  return withSession({ needsHub: true }, async (session) => {
    const data = await answerTask(session, task, said);
    return { data, text: `${task} is ready again; your answer joins its next prompt.` };
  });
}
