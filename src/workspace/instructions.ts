/** Instruction files that a worker can work from with nothing else in hand. */
import { writeInside } from '../adapters/system/insideFile.ts';
import { CambiumError } from '../errors.ts';
import { isId, proposeId } from '../model/ids.ts';
import type { Session } from './session.ts';

export interface InstructionSpec {
  readonly title?: string;
  readonly objective?: string;
  readonly requirements: string | readonly string[];
  /** What to read first; written into the text for the worker's eyes. Name them in addTask too, so that they are handed over. */
  readonly context_files?: readonly string[];
  readonly steps?: readonly string[];
  readonly expected_output?: string;
  readonly acceptance_criteria?: readonly string[];
}

/** Not a task yet: names below a folder that begins with `_` are not, until addTask takes the file in. */
const DRAFTS = 'tasks/_instructions';

/** Writes the instruction file into the checkout; hand its `path` to addTask. Throws `usage`. */
export async function createTaskInstruction({ clone }: Session, id: string | number, spec: InstructionSpec): Promise<{ readonly path: string; readonly text: string }> {
  const name = /^\d+$/.test(String(id)) ? `task-${id}` : String(id);
  if (!isId(name)) throw new CambiumError('usage', `${id} is no good task id.`, { hint: `Use lower-case letters, digits, - and _: ${proposeId(name)}` });
  if (clone.root === null) throw new CambiumError('usage', 'A bare clone has no folder to write the file to.', { hint: 'Hand the text to addTask as `instruction`.' });
  const path = `${DRAFTS}/${name}.md`;
  const text = renderSpec(name, spec);
  await writeInside(clone.root, path, text);
  return { path, text };
}

function renderSpec(name: string, spec: InstructionSpec): string {
  const { requirements } = spec;
  const sections: readonly (readonly [string, string | undefined])[] = [
    ['Objective', spec.objective],
    ['Requirements', typeof requirements === 'string' ? requirements : bullets(requirements)],
    ['Context', spec.context_files === undefined || spec.context_files.length === 0 ? undefined : `Read these first:\n${bullets(spec.context_files)}`],
    ['Steps', spec.steps?.map((step, at) => `${at + 1}. ${step}`).join('\n')],
    ['Expected output', spec.expected_output],
    ['Acceptance criteria', spec.acceptance_criteria?.map((criterion) => `- [ ] ${criterion}`).join('\n')],
  ];
  const told = sections.filter(([, text]) => text !== undefined && text.trim() !== '').map(([heading, text]) => `## ${heading}\n\n${text?.trim()}`);
  return [`# Task: ${spec.title ?? name}`, ...told].join('\n\n').concat('\n');
}

const bullets = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join('\n');
