/**
 * Adding a task. The shape is that of the front matter, with the words of the queue that people come from beside it:
 * `description`, `instruction_file`, a numeric `id`, `metadata.{working_directory, acceptance_criteria, estimated_minutes}`.
 */
import { addMember, becomesTask } from '../act/close.ts';
import type { Addition } from '../act/close.ts';
import { publish } from '../act/publish.ts';
import type { Published } from '../act/publish.ts';
import { readInside, setAside, writeInside } from '../adapters/system/insideFile.ts';
import type { SetAside } from '../adapters/system/insideFile.ts';
import { CambiumError } from '../errors.ts';
import { generateTaskId, isId, proposeId } from '../model/ids.ts';
import type { Oid } from '../model/ids.ts';
import { taskFileKind, taskPath, taskStem } from '../model/layout.ts';
import { bodyText, readFrontMatter } from '../observe/frontMatter.ts';
import { renderInstruction } from '../observe/renderInstruction.ts';
import { TASK_FIELDS, isTreePath } from '../observe/taskFields.ts';
import { parseTask, readTaskDraft, scalarKind } from '../observe/taskFile.ts';
import { fileAt } from '../observe/tree.ts';
import { circleProblem, delegationProblem, provenanceFields } from '../orient/delegation.ts';
import type { Provenance } from '../orient/delegation.ts';
import { orientDependencies } from '../orient/dependencies.ts';
import { ownProvenance } from './delegating.ts';
import { published } from './published.ts';
import { actor } from './session.ts';
import type { Session } from './session.ts';
import { syncAfterward } from './sync.ts';

export interface NewTask {
  /** A number n becomes `task-n`; made from the title when unsaid. */
  readonly id?: string | number | null;
  readonly title?: string;
  /** Another word for the title. */
  readonly description?: string;
  /** Markdown: everything a worker needs. */
  readonly instruction?: string;
  /** Where that Markdown stands, relative to the top of the workspace: in the checkout, or on main. */
  readonly instruction_file?: string | null;
  readonly context_files?: readonly string[];
  readonly assigned_to?: string | null;
  /** Only `pending`: how a task goes on is not the adder's to say. */
  readonly status?: string;
  readonly metadata?: Readonly<Record<string, unknown>> | null;
  /** Any other key of the front matter: `priority`, `depends_on`, `verify`, `review` … (docs/formats.md). */
  readonly [key: string]: unknown;
}

export interface AddedTask {
  readonly task: string;
  readonly path: string;
  /** The commit on main. */
  readonly commit: Oid;
}

/** The task is on the hub when this resolves. Throws `usage`, `bad-file`, `id-used`, `refused` (a circle of dependencies). */
export async function addTask(session: Session, task: NewTask): Promise<AddedTask> {
  requireShape(task);
  requirePending(task.status);
  const file = await instructionFile(session, task.instruction_file ?? undefined);
  const text = instructionOf(task.instruction === undefined ? (file?.bytes ?? Buffer.from('')) : Buffer.from(task.instruction), file?.path ?? 'the instruction');
  const title = task.title ?? task.description ?? text.title;
  if (title === null || title.trim() === '') throw new CambiumError('usage', 'The task has no title.', { hint: 'Say in `title` or `description`, or in a heading of the instruction, what is to be done.' });
  const id = idOf(session, task.id, title, file?.path);
  const path = taskPath(id);
  const provenance = await ownProvenance(session.clone);
  const content = renderInstruction({ title, body: text.body, fields: markedFields({ ...text.fields, ...fieldsOf(task) }, provenance) });
  checkAddition(session, id, path, content, provenance);
  const by = await actor(session);
  const moved = await moveIn(session, file, path, content);
  const commit = await publishAddition(session, { task: id, path, content, by, ...(file === null ? {} : { from: file.path }) }).catch(async (error: unknown) => {
    // A push without an answer may have added it: beside that its file would be a second task.
    if (error instanceof CambiumError && error.code === 'outcome-unknown') session.note(`the instruction file is kept${moved === null ? '' : ` as ${moved.path}`} until it is known whether ${id} was added`);
    else await moved?.restore();
    throw error;
  });
  await moved?.discard();
  await syncAfterward(session);
  return { task: id, path, commit };
}

async function publishAddition({ node }: Session, addition: Addition): Promise<Oid> {
  const ends = await publish(node, [addMember(node, addition)], { trustKnown: true });
  return published(addition.task, ends.get(addition.task) as Published<Oid>);
}

const TEXTS = ['title', 'description', 'instruction', 'instruction_file', 'status'] as const;

/** A task may come from anybody's JSON; the keys of the front matter are judged with the file that they make. */
function requireShape(task: NewTask): void {
  const { id, metadata } = task;
  const wrong = TEXTS.find((key) => task[key] !== undefined && task[key] !== null && typeof task[key] !== 'string');
  if (wrong !== undefined) throw new CambiumError('usage', `\`${wrong}\` must be text.`);
  if (id !== undefined && id !== null && typeof id !== 'string' && typeof id !== 'number') throw new CambiumError('usage', '`id` must be text or a number.');
  if (metadata !== undefined && metadata !== null && (typeof metadata !== 'object' || Array.isArray(metadata))) throw new CambiumError('usage', '`metadata` must be an object.');
}

interface Instruction {
  readonly title: string | null;
  readonly body: string;
  /** Its own front matter, which what the caller says goes before. */
  readonly fields: Readonly<Record<string, unknown>>;
}

function instructionOf(bytes: Uint8Array, from: string): Instruction {
  if (bytes.length === 0) return { title: null, body: '', fields: {} };
  const draft = readTaskDraft(bytes);
  if ('reason' in draft) throw new CambiumError('bad-file', `${from}:${draft.line}: ${draft.reason}`, { hint: draft.mend });
  const front = readFrontMatter(from, Buffer.from(bytes).toString('utf8').replace(/^\uFEFF/, ''), scalarKind);
  const { title: _title, ...fields } = 'reason' in front ? {} : (front.data as Record<string, unknown>);
  return { title: draft.title, body: bodyText(bytes), fields };
}

function requirePending(status: string | undefined): void {
  if (status === undefined || status === 'pending' || status === 'ready') return;
  throw new CambiumError('usage', `A task cannot be added as ${status}.`, { hint: 'Leave `status` out, or write `pending`: claims and results say the rest.' });
}

interface InstructionFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** It stands in the checkout. */
  readonly here: boolean;
}

async function instructionFile({ clone, fleet }: Session, path: string | undefined): Promise<InstructionFile | null> {
  if (path === undefined) return null;
  if (!isTreePath(path)) throw new CambiumError('usage', `${path} is not a path inside the workspace.`, { hint: 'Write it relative to the top of the workspace, with `/`.' });
  const here = clone.root === null ? null : await readInside(clone.root, path);
  const bytes = here ?? (await fileAt(clone.store, fleet.main.tree, path))?.bytes;
  if (bytes === undefined) throw new CambiumError('usage', `There is no instruction file ${path}.`, { hint: 'Write it first: it must say everything that a worker needs.' });
  return { path, bytes, here: here !== null };
}

/** An instruction file that stands in `tasks/` is the task, so it gives the id where none is asked for. */
function idOf({ clone }: Session, asked: string | number | null | undefined, title: string, file: string | undefined): string {
  const own = file !== undefined && taskFileKind(file) === 'instruction' ? taskStem(file) : null;
  const id = asked === undefined || asked === null ? (own !== null && isId(own) ? own : generateTaskId(title, clone.clock.randomBytes(4))) : /^\d+$/.test(String(asked)) ? `task-${asked}` : String(asked);
  if (isId(id)) return id;
  throw new CambiumError('usage', `${id} is no good task id.`, { hint: `Use lower-case letters, digits, - and _: ${proposeId(id)}` });
}

const OTHER_KEYS = new Set(['id', 'title', 'description', 'instruction', 'instruction_file', 'status', 'metadata']);
const FROM_METADATA = ['working_directory', 'acceptance_criteria', 'estimated_minutes'] as const;

function fieldsOf(task: NewTask): Record<string, unknown> {
  const { metadata } = task;
  const told = FROM_METADATA.filter((key) => metadata?.[key] !== undefined && task[key] === undefined).map((key) => [key, metadata?.[key]]);
  const kept = Object.entries(metadata ?? {}).filter(([key]) => !(FROM_METADATA as readonly string[]).includes(key));
  const fields = [...Object.entries(task).filter(([key]) => !OTHER_KEYS.has(key)), ...told, ...(kept.length === 0 ? [] : [['metadata', Object.fromEntries(kept)]])] as [string, unknown][];
  const said = fields.filter(([key, value]) => value !== undefined && value !== null && !(Object.hasOwn(TASK_FIELDS, key) && Array.isArray(value) && value.length === 0));
  return Object.fromEntries(said);
}

/** Where it comes from, where an agent adds it from within a spawn. */
function markedFields(said: Readonly<Record<string, unknown>>, provenance: Provenance | null): Readonly<Record<string, unknown>> {
  const own = (key: string): { readonly [name: string]: string } => (typeof said[key] === 'string' ? { [key]: said[key] } : {});
  return provenance === null ? said : { ...said, ...provenanceFields({ ...own('parent'), ...own('request') }, provenance) };
}

/** What would only be quarantined, or would close a circle of dependencies, is refused before it is published. */
function checkAddition({ clone, fleet }: Session, id: string, path: string, content: string, provenance: Provenance | null): void {
  const bytes = Buffer.from(content);
  const parsed = parseTask({ path, blob: clone.store.hashBlob(bytes), bytes });
  if ('reason' in parsed) throw new CambiumError('bad-file', `${path}:${parsed.line}: ${parsed.reason}`, { hint: parsed.mend });
  const block = orientDependencies(new Map([...fleet.tasks, [id, parsed]]), fleet.results).get(id);
  if (block !== undefined && block !== 'met' && block.kind === 'cycle') throw new CambiumError('refused', `${id} is not added: ${block.reason}`, { hint: block.mend });
  const family = new Map([...fleet.tasks, [id, parsed]]);
  // A person may nest tasks as deep as he likes; nobody's task is its own ancestor.
  const problem = provenance === null ? circleProblem(family, parsed) : delegationProblem(family, parsed, provenance, fleet.config.limits.spawnDepth);
  if (problem !== null) throw new CambiumError('refused', `It is not added: ${problem}.`);
}

/**
 * An instruction file in the checkout's `tasks/` becomes the task's own file: left as it was, a daemon would publish a
 * second task. So it makes way first, and comes back where the task is not added.
 */
async function moveIn({ clone: { root } }: Session, file: InstructionFile | null, path: string, content: string): Promise<SetAside | null> {
  if (root === null || file === null || !file.here || !becomesTask(file.path)) return null;
  if (file.path !== path) return setAside(root, file.path, file.bytes);
  const before = Buffer.from(file.bytes).toString('utf8');
  await writeInside(root, path, content);
  return { path, restore: () => writeInside(root, path, before), discard: async () => undefined };
}
