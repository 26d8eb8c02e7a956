/**
 * What is wrong with the files of a work tree, each by itself (`cambium check`). The verdicts are the door's own: a file
 * has an error here exactly when the fleet would set it aside. What the door tells one by one is told all at once, with
 * line and column, and so is what the fleet takes but its author can hardly mean. Pure.
 */
import type { FleetConfig } from '../model/config.ts';
import type { Finding } from '../model/finding.ts';
import type { TaskId } from '../model/ids.ts';
import { CONFIG_FILE, taskStem } from '../model/layout.ts';
import type { Task, TaskResult } from '../model/task.ts';
import type { RosterAgent } from './agentRecords.ts';
import { type Seen, type WorkFile, readInto } from './checkFile.ts';
import { DEFAULT_CONFIG } from './fleetConfig.ts';
import { fleetFileKind } from './fleetFiles.ts';
import { checkTaskPath, duplicateStems, modeFault } from './names.ts';
import type { Path, Place } from './yaml.ts';

export type { WorkFile } from './checkFile.ts';

export interface Checked {
  readonly findings: readonly Finding[];
  /** How many files the fleet reads. */
  readonly files: number;
  /** Those without an error. */
  readonly tasks: ReadonlyMap<TaskId, Task>;
  readonly results: ReadonlyMap<TaskId, TaskResult>;
  /** Ids of tasks that stand there and are set aside. */
  readonly setAside: ReadonlySet<TaskId>;
  /** Null when cambium.yaml has an error. */
  readonly config: FleetConfig | null;
  readonly roster: readonly RosterAgent[];
  /** Agents that have a file of their own, agents/<id>.md, by its path. */
  readonly selfModels: ReadonlyMap<string, string>;
  /** Where in a file the key at the path stands; the item with this value where it is a list. */
  placeOf(file: string, at: Path, item?: string): Place;
}

/** The fleet does not look into deeper folders (taskIndex.ts). */
const FOLDERS_DEEP_MAX = 16;

/** `files` by their paths in the tree. Never throws. */
export function checkFiles(files: ReadonlyMap<string, WorkFile>): Checked {
  const seen: Seen = { findings: [], tasks: new Map(), results: new Map(), config: files.has(CONFIG_FILE) ? null : DEFAULT_CONFIG, roster: [], selfModels: new Map(), places: new Map() };
  const named = [...files].filter(([path, file]) => standsRight(seen, path, file)).map(([path]) => path);
  const twins = new Set<string>();
  for (const { path, reason, mend } of duplicateStems(named.filter((path) => path.startsWith('tasks/')))) {
    twins.add(path);
    seen.findings.push({ path, line: 1, column: null, level: 'error', code: 'duplicate-id', message: reason, mend });
  }
  for (const path of named) readInto(seen, path, files.get(path) as WorkFile);
  for (const path of twins) forget(seen, path);
  const setAside = named.filter((path) => fleetFileKind(path) === 'instruction' && !seen.tasks.has(taskStem(path))).map(taskStem);
  return {
    findings: seen.findings, files: [...files.keys()].filter((path) => fleetFileKind(path) !== 'none').length, tasks: seen.tasks, results: seen.results, setAside: new Set(setAside),
    config: seen.config, roster: seen.roster, selfModels: seen.selfModels,
    placeOf: (file, at, item) => seen.places.get(file)?.(at, item) ?? { line: 1, column: 1 },
  };
}

/** An id that two files claim is no task's: what depends on it waits for a person. */
function forget(seen: Seen, path: string): void {
  if (fleetFileKind(path) === 'instruction') seen.tasks.delete(taskStem(path));
  else seen.results.delete(taskStem(path));
}

/** False, and said, for what is judged by where and what it is; silently for what the fleet does not read. */
function standsRight(seen: Seen, path: string, { mode }: WorkFile): boolean {
  const say = (message: string, mend: string): false => {
    seen.findings.push({ path, line: 1, column: null, level: 'error', code: mode.startsWith('100') ? 'bad-name' : 'not-a-file', message, mend });
    return false;
  };
  const kind = fleetFileKind(path);
  const fault = path.startsWith('tasks/') ? checkTaskPath({ path, mode }) : kind === 'none' ? null : modeFault(path, mode);
  if (fault !== null) return say(fault.reason, fault.mend);
  if (kind === 'none') return false;
  if (!path.startsWith('tasks/') || path.split('/').length <= FOLDERS_DEEP_MAX + 1) return true;
  return say(`The folder lies deeper than ${FOLDERS_DEEP_MAX} levels.`, 'Move its files up.');
}
