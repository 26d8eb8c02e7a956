/** `cambium check`: the work tree held against every format, without a hub, a network or a commit. */
import { relative, resolve, sep } from 'node:path';
import { ignoredPaths, listWorkPaths, openWorkFiles, workTop } from '../adapters/git/workFiles.ts';
import type { WorkFiles } from '../adapters/git/workFiles.ts';
import { isTemporaryName } from '../adapters/checkout/names.ts';
import { shippedFile } from '../adapters/system/version.ts';
import { CambiumError } from '../errors.ts';
import { ARCHIVE_FOLDER } from '../model/archive.ts';
import { byPlace } from '../model/finding.ts';
import type { Finding } from '../model/finding.ts';
import { isId } from '../model/ids.ts';
import { CONFIG_FILE, constitutionPath, taskStem } from '../model/layout.ts';
import { checkFiles } from '../observe/check.ts';
import type { Checked, WorkFile } from '../observe/check.ts';
import { fleetFileKind } from '../observe/fleetFiles.ts';
import { parseResult } from '../observe/resultFile.ts';
import { FILE_BYTES_MAX } from '../observe/text.ts';
import { checkReferences, contextPath } from './checkReferences.ts';
import type { ArchivedTask, ContextState } from './checkReferences.ts';

export interface CheckOptions {
  readonly cwd: string;
  /** Files and folders to speak of; everything the fleet reads when empty. */
  readonly paths?: readonly string[];
  /** Warnings count as errors. */
  readonly strict?: boolean;
}

export interface CheckReport {
  /** Top of the work tree, that the paths are relative to. */
  readonly root: string;
  /** How many files were looked at. */
  readonly files: number;
  readonly errors: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** Asked for, and nothing that the fleet reads. */
  readonly skipped: readonly string[];
}

const LOOKED_THROUGH = [CONFIG_FILE, 'tasks', 'agents'];
const ARCHIVE = `${ARCHIVE_FOLDER}/`;
const AT_ONCE = 64;

/** The whole tree is read whatever is asked for: what a file refers to stands in others. Throws `not-a-workspace`, `usage`. */
export async function checkWorkspace({ cwd, paths = [], strict = false }: CheckOptions): Promise<CheckReport> {
  const root = await workTop(cwd);
  const work = root === null ? null : openWorkFiles(root);
  if (root === null || work === null || (await work.kind(CONFIG_FILE)) === null) {
    throw new CambiumError('not-a-workspace', `${cwd} is not inside a cambium workspace.`, { hint: 'Run `cambium init` to make one.' });
  }
  const asked = await Promise.all(paths.map((path) => askedPath(work, root, cwd, path)));
  const listed = (await listWorkPaths(root, LOOKED_THROUGH)).filter((path) => !path.split('/').some(isTemporaryName));
  const single = await Promise.all(asked.map(async (path) => ((await work.kind(path)) === 'folder' ? [] : [path])));
  const files = await readAll(work, [...new Set([...listed, ...single.flat()])].filter((path) => !path.startsWith(ARCHIVE)));
  const isAsked = (path: string): boolean => asked.length === 0 || asked.some((wanted) => wanted === '' || path === wanted || path.startsWith(`${wanted}/`));
  const checked = checkFiles(files);
  const references = checkReferences(checked, { archived: await readArchived(work, listed, checked), context: await contextStates(work, root, checked), constitutions: await constitutionsThere(work, checked) });
  const findings = [...checked.findings, ...references].filter(({ path }) => isAsked(path)).toSorted(byPlace).map((finding): Finding => (strict ? { ...finding, level: 'error' } : finding));
  const read = new Set([...[...files.keys()].filter((path) => fleetFileKind(path) !== 'none'), ...findings.map(({ path }) => path)].filter(isAsked));
  return {
    root, files: read.size,
    errors: findings.filter(({ level }) => level === 'error'), warnings: findings.filter(({ level }) => level === 'warning'),
    skipped: asked.filter((wanted) => wanted !== '' && ![...read].some((path) => path === wanted || path.startsWith(`${wanted}/`))),
  };
}

/** As a path of the tree; empty for its top. */
async function askedPath(work: WorkFiles, root: string, cwd: string, path: string): Promise<string> {
  const inside = relative(root, resolve(cwd, path)).split(sep).join('/');
  if (inside === '..' || inside.startsWith('../')) throw new CambiumError('usage', `${path} is outside the workspace ${root}.`, { hint: 'Name files of this workspace.' });
  if (inside !== '' && (await work.kind(inside)) === null) throw new CambiumError('usage', `There is no file ${path}.`, { hint: 'Name files or folders that exist; without any, everything is checked.' });
  return inside;
}

async function readAll(work: WorkFiles, paths: readonly string[]): Promise<ReadonlyMap<string, WorkFile>> {
  const files = new Map<string, WorkFile>();
  for (let from = 0; from < paths.length; from += AT_ONCE) {
    const batch = paths.slice(from, from + AT_ONCE);
    const read = await Promise.all(batch.map((path) => work.read(path, fleetFileKind(path) === 'none' ? 0 : FILE_BYTES_MAX)));
    for (const [at, file] of read.entries()) if (file !== null) files.set(batch[at] as string, file);
  }
  return files;
}

/** Of the archive only what a task waits for, or shares its id with, is read. */
async function readArchived(work: WorkFiles, listed: readonly string[], { tasks }: Checked): Promise<ReadonlyMap<string, ArchivedTask>> {
  const wanted = new Set([...tasks.values()].flatMap(({ id, dependsOn, parent }) => [id, ...dependsOn, ...(parent === undefined ? [] : [parent])]));
  const found = new Map<string, ArchivedTask>();
  for (const path of listed) {
    if (!path.startsWith(ARCHIVE) || !path.endsWith('.result.md') || !wanted.has(taskStem(path))) continue;
    const bytes = (await work.read(path, FILE_BYTES_MAX))?.bytes ?? null;
    const result = bytes === null ? null : parseResult({ path, bytes });
    // For the fleet, too, a dependency whose result nobody can read is none.
    found.set(taskStem(path), { path, outcome: result !== null && 'outcome' in result ? result.outcome : null });
  }
  return found;
}

/** Where a prompt finds them (act/prompt/subject.ts): in the workspace, else in the package. */
async function constitutionsThere(work: WorkFiles, { config }: Checked): Promise<ReadonlySet<string>> {
  const named = new Set(Object.values(config?.agents ?? {}).flatMap(({ constitution }) => (constitution !== null && isId(constitution) ? [constitution] : [])));
  const there = await Promise.all([...named].map(async (name) => ((await work.kind(constitutionPath(name))) === 'file' || shippedFile(constitutionPath(name)) !== null ? [name] : [])));
  return new Set(there.flat());
}

async function contextStates(work: WorkFiles, root: string, { tasks, results }: Checked): Promise<ReadonlyMap<string, ContextState>> {
  const named = new Set([...tasks.values()].filter(({ id }) => !results.has(id)).flatMap((task) => task.contextFiles.flatMap((path) => contextPath(task, path) ?? [])));
  const states = new Map<string, ContextState>();
  for (const path of named) {
    const kind = await work.kind(path);
    states.set(path, kind === 'file' ? 'file' : kind === 'folder' ? 'folder' : 'missing');
  }
  for (const path of await ignoredPaths(root, [...named].filter((path) => states.get(path) === 'file'))) if (states.has(path)) states.set(path, 'ignored');
  return states;
}
