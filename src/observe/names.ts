/** Names below `tasks/`: the stem is the id, so a name that is no id, or stands for two files, is set aside. */
import type { FileMode } from '../model/git.ts';
import { isId, proposeId } from '../model/ids.ts';
import { taskFileKind, taskStem } from '../model/layout.ts';
import type { Quarantined } from '../model/task.ts';

export interface NamedFile {
  readonly path: string;
  readonly mode: FileMode;
}

/** Nearly every path there is: ids for folders and stem. Judged first, because a cold start judges ten thousand. */
const ORDINARY = /^tasks\/(?:[a-z0-9][a-z0-9_-]*\/)*[a-z0-9_-]+\.(?:md|result\.md|claim\.json)$/;
const DEVICE_FOLDER = /\/(?:con|prn|aux|nul|com\d|lpt\d)\//;

/** What is wrong with where a file stands, judged without its content; null also for files that are no task's. */
export function checkTaskPath({ path, mode }: NamedFile): Quarantined | null {
  if (mode.startsWith('100') && ORDINARY.test(path) && !DEVICE_FOLDER.test(path) && isId(taskStem(path))) return null;
  if (!path.startsWith('tasks/') || path.startsWith('tasks/archive/') || isHidden(path)) return null;
  return modeFault(path, mode) ?? folderFault(path) ?? stemFault(path);
}

/** Names that begin with `.` or `_` are no tasks, nor is what stands below such a folder. */
function isHidden(path: string): boolean {
  return path.split('/').slice(1).some((segment) => segment.startsWith('.') || segment.startsWith('_'));
}

/** A symlink leads out of the tree, a submodule out of the repository: neither is ever followed. */
export function modeFault(path: string, mode: FileMode): Quarantined | null {
  if (mode === '120000') return { path, line: 1, reason: 'It is a symbolic link, which is never followed.', mend: 'Replace the link by the file itself.' };
  if (mode === '160000') return { path, line: 1, reason: 'It is a submodule, which is never followed.', mend: 'Remove it; name a second repository under `projects:` in cambium.yaml.' };
  return null;
}

const FOLDER_EVIL = /[\p{Cc}\u2028-\u202e\u2066-\u2069\\:<>"|?*]|[. ]$|^[- ]/u;
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/iu;

/** Folders need no ids, only names that every platform can check out. */
function folderFault(path: string): Quarantined | null {
  for (const folder of path.split('/').slice(1, -1)) {
    if (folder !== '' && !FOLDER_EVIL.test(folder) && !DEVICE.test(folder) && !/^git~\d+$/iu.test(folder)) continue;
    return { path, line: 1, reason: `The folder name ${shown(folder)} cannot be used on every platform.`, mend: `Rename the folder, for example to ${proposeId(folder)}.` };
  }
  return null;
}

const ENDINGS = { instruction: '.md', result: '.result.md', claim: '.claim.json' } as const;

function stemFault(path: string): Quarantined | null {
  const kind = taskFileKind(path);
  if (kind === 'none') return endingFault(path);
  const stem = taskStem(path);
  if (isId(stem)) return null;
  const why = DEVICE.test(stem) ? 'is a device name on Windows' : 'is no id: lower-case letters, digits, `-` and `_`, at most 63, not digits only';
  return { path, line: 1, reason: `The name ${shown(stem)} ${why}.`, mend: `Rename the file to ${proposeId(stem)}${ENDINGS[kind]}.` };
}

/** `ADD.MD` would be an attachment that nobody works on, which its author does not expect. */
function endingFault(path: string): Quarantined | null {
  const name = path.split('/').at(-1) ?? '';
  if (name.endsWith('.md') || !/\.(?:md|markdown)$/iu.test(name)) return null;
  const stem = name.replace(/\.[^.]*$/u, '');
  return { path, line: 1, reason: `The name ${shown(name)} does not end in \`.md\`, so it is no task.`, mend: `Rename the file to ${proposeId(stem)}.md.` };
}

/** Escaped and cut: the name itself may hold what moves a terminal's cursor. */
function shown(name: string): string {
  return JSON.stringify(name.slice(0, 80)).replace(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Files of one kind and one stem in different folders: an id means one task, so each is set aside and names the others. */
export function duplicateStems(paths: readonly string[]): readonly Quarantined[] {
  const places = new Map<string, string[]>();
  for (const path of paths) {
    const key = `${taskFileKind(path)} ${taskStem(path)}`;
    const known = places.get(key);
    if (known === undefined) places.set(key, [path]);
    else known.push(path);
  }
  return [...places.values()].filter((same) => same.length > 1).flatMap((same) => same.map((path) => duplicate(path, same)));
}

function duplicate(path: string, same: readonly string[]): Quarantined {
  const others = same.filter((other) => other !== path);
  const named = others.slice(0, 3).join(', ') + (others.length > 3 ? ` and ${others.length - 3} more` : '');
  return { path, line: 1, reason: `The id ${taskStem(path)} is also used by ${named}.`, mend: 'Rename all of them but one: an id means one task in the whole tree.' };
}
