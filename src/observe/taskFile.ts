/** An instruction file becomes a task, or is set aside with the line, the reason and the mend. */
import type { Oid } from '../model/ids.ts';
import type { Quarantined, Script, Task } from '../model/task.ts';
import { reviewWord } from '../model/reviewer.ts';
import { bodyText, readFrontMatter } from './frontMatter.ts';
import { faultText, judgeSchema } from './rules.ts';
import { type TaskDraft, placeTask } from './taskDraft.ts';
import { type TaskKey, taskField, tidyTreePath, utcTime } from './taskFields.ts';
import { decodeText, isQuarantined } from './text.ts';
import type { Path, ScalarKind } from './yaml.ts';

export const TASK_SCHEMA = 'cambium.task/1';
const TITLE_LENGTH_MAX = 200;

/** Never throws: any bytes are a task or a reason why not. The path's stem is taken as the id; names.ts checks it. */
export function parseTask(file: { readonly path: string; readonly blob: Oid; readonly bytes: Uint8Array }): Task | Quarantined {
  const draft = readTaskDraft(file.bytes);
  return isQuarantined(draft) ? { ...draft, path: file.path } : placeTask(draft, file.path, file.blob);
}

/** The instruction without its front matter. Throws `bad-file` for bytes that `parseTask` would set aside for their fences. */
export function instructionText(bytes: Uint8Array): string {
  return bodyText(bytes);
}

/** The fault's path is empty: the same bytes may stand at several paths. */
export function readTaskDraft(bytes: Uint8Array): TaskDraft | Quarantined {
  const text = decodeText('', bytes);
  if (typeof text !== 'string') return text;
  const front = readFrontMatter('', text, scalarKind);
  if (isQuarantined(front)) return front;
  const fault = firstFault(front.data, front.lines);
  if (fault !== null) return fault;
  const title = said(front.data, 'title')?.trim() ?? headingOf(front.body);
  if (title === null && front.body.trim() === '') {
    return { path: '', line: 1, reason: 'The file does not say what is to be done.', mend: 'Write the instruction, or at least a title.' };
  }
  return draftOf(front.data, title);
}

export function scalarKind(path: Path): ScalarKind {
  return taskField(String(path[0]))?.scalars ?? 'any';
}

function firstFault(data: Readonly<Record<string, unknown>>, lines: ReadonlyMap<string, number>): Quarantined | null {
  const [first] = fieldFaults(data);
  return first === undefined ? null : { path: '', line: lines.get(String(first.at[0])) ?? 1, reason: first.reason, mend: first.mend };
}

export interface FieldFault {
  /** Where in the front matter: `['depends_on', 1]`. */
  readonly at: Path;
  readonly reason: string;
  readonly mend: string;
}

/** Everything that is wrong with the keys, in their order. The door tells the first, `cambium check` all of them. */
export function fieldFaults(data: Readonly<Record<string, unknown>>): readonly FieldFault[] {
  return Object.entries(data).flatMap(([key, value]) => {
    if (key === 'schema' && judgeSchema(value, TASK_SCHEMA) === 'too-new') {
      return [{ at: [key], reason: `schema-too-new: ${String(value)} is newer than ${TASK_SCHEMA}.`, mend: 'Upgrade cambium on this machine.' }];
    }
    return valueFaults(key, value);
  });
}

/** Null and an empty value mean "unsaid", as in a template that was not filled in. */
function valueFaults(key: string, value: unknown): readonly FieldFault[] {
  const field = taskField(key);
  if (field === undefined || value === null) return [];
  const items: readonly unknown[] = field.list && Array.isArray(value) ? value : [value];
  return items.flatMap((item, index) => {
    const fault = field.rule(item);
    if (fault === null) return [];
    const at = field.list && Array.isArray(value) ? [key, index, ...fault.at] : [key, ...fault.at];
    return [{ at, reason: `${faultText({ at, must: fault.must })}.`, mend: `Write for example \`${field.example}\`.` }];
  });
}

function draftOf(data: Readonly<Record<string, unknown>>, title: string | null): TaskDraft {
  const directory = tidyTreePath(said(data, 'working_directory') ?? '');
  const notBefore = said(data, 'not_before');
  const verify = data['verify'] as Script | null | undefined;
  return {
    title,
    priority: amount(data, 'priority') ?? 2,
    ...present('assignedTo', said(data, 'assigned_to')),
    ...present('role', said(data, 'role')),
    requires: listed(data, 'requires'),
    dependsOn: [...new Set(listed(data, 'depends_on'))],
    contextFiles: listed(data, 'context_files').map(tidyTreePath),
    ...present('workingDirectory', directory === '' ? undefined : directory),
    ...present('project', said(data, 'project')),
    acceptanceCriteria: listed(data, 'acceptance_criteria'),
    ...present('verify', verify ?? undefined),
    ...present('review', reviewWord(data['review'] ?? null) ?? undefined),
    ...present('provider', said(data, 'provider')),
    ...present('model', said(data, 'model')),
    ...present('maxAttempts', amount(data, 'max_attempts')),
    ...present('timeoutMinutes', amount(data, 'timeout_minutes')),
    ...present('budgetUsd', amount(data, 'budget_usd')),
    ...present('maxTurns', amount(data, 'max_turns')),
    ...present('notBefore', notBefore === undefined ? undefined : utcTime(notBefore) ?? undefined),
    ...present('parent', said(data, 'parent')),
    ...present('request', said(data, 'request')),
    ...present('spawnedBy', said(data, 'spawned_by')),
    labels: listed(data, 'labels'),
    ...present('estimatedMinutes', amount(data, 'estimated_minutes')),
    extra: Object.fromEntries(Object.entries(data).filter(([key]) => taskField(key) === undefined)),
  };
}

type OneField<Key extends string, Value> = { readonly [key in Key]?: Value };

/** An optional key is absent, never undefined. */
function present<Key extends string, Value>(key: Key, value: Value | undefined): OneField<Key, Value> {
  return (value === undefined ? {} : { [key]: value }) as OneField<Key, Value>;
}

function said(data: Readonly<Record<string, unknown>>, key: TaskKey): string | undefined {
  return (data[key] ?? undefined) as string | undefined;
}

function amount(data: Readonly<Record<string, unknown>>, key: TaskKey): number | undefined {
  return (data[key] ?? undefined) as number | undefined;
}

function listed(data: Readonly<Record<string, unknown>>, key: TaskKey): readonly string[] {
  const value = data[key] ?? [];
  return Array.isArray(value) ? value : [value as string];
}

/** The first Markdown heading outside a code block: in a runbook `# …` is a comment of its script. */
function headingOf(body: string): string | null {
  let fence: string | null = null;
  let before = '';
  for (const line of body.split('\n')) {
    const mark = /^ {0,3}(`{3,}|~{3,})/u.exec(line)?.[1] ?? null;
    if (fence !== null) {
      if (mark !== null && mark.startsWith(fence)) fence = null;
      continue;
    }
    fence = mark;
    const heading = /^ {0,3}#{1,6}[ \t]+(.*)$/u.exec(line)?.[1]?.replace(/[ \t]+#+[ \t]*$/u, '') ?? underlined(before, line);
    const title = tidyTitle(heading ?? '');
    if (title !== '') return title;
    before = line;
  }
  return null;
}

/** `Title` over a line of `===`, or of `---` (an even smaller heading). */
function underlined(before: string, line: string): string | null {
  return /^ {0,3}(?:=+|-{2,})[ \t]*$/u.test(line) && /^ {0,3}[^\s\-+*>#|`~]/u.test(before) ? before : null;
}

function tidyTitle(text: string): string {
  return text.replace(/[\p{Cc}\s\u2028-\u202e\u2066-\u2069\ufeff]+/gu, ' ').trim().slice(0, TITLE_LENGTH_MAX).trim();
}
