/**
 * The clone that a hook runs in, found by reading three small files: a hook is started at every step of an agent, and a git
 * process for each question would cost more than the hook itself.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { CONFIG_FILE, branchRef, mirrorRef } from '../../model/layout.ts';

export interface HookPlace {
  /** Top of the workspace's work tree; of an agent's own worktree in a bare clone. */
  readonly root: string;
  readonly commonDir: string;
  /** `<git common dir>/cambium`. */
  readonly stateDir: string;
  /** The ref of the fleet's main as this clone last saw it; where nothing has asked a hub yet, the clone's own branch. */
  readonly main: string;
}

export interface Repository {
  readonly top: string;
  readonly gitDir: string;
  readonly commonDir: string;
}

/** Between a clone and an agent's own worktree in it. */
export const WORKTREES = '/.cambium/worktrees/';

/** Null outside of a workspace. Never throws. */
export function findHookPlace(cwd: string): HookPlace | null {
  // A worktree of another repository's task stands inside the clone that it belongs to.
  const inside = cwd.indexOf(WORKTREES);
  const found = findRepository(inside < 0 ? cwd : cwd.slice(0, inside));
  if (found === null || !(existsSync(join(found.commonDir, 'cambium')) || existsSync(join(found.top, CONFIG_FILE)))) return null;
  const settings = cambiumSettings(found.commonDir);
  const home = settings.get('workspace');
  const repository = home !== undefined && home !== found.top && found.gitDir === found.commonDir ? (findRepository(home) ?? found) : found;
  const { top, gitDir, commonDir } = repository;
  const branch = branchRef(settings.get('branch') ?? headOf(gitDir) ?? 'main');
  return { root: top, commonDir, stateDir: join(commonDir, 'cambium'), main: hasRef(commonDir, mirrorRef(branch)) ? mirrorRef(branch) : branch };
}

function hasRef(commonDir: string, ref: string): boolean {
  return existsSync(join(commonDir, ref)) || (readText(join(commonDir, 'packed-refs')) ?? '').includes(` ${ref}\n`);
}

/** The repository around a folder, as git finds it; null where there is none. */
export function findRepository(folder: string): Repository | null {
  for (let at = folder; ; at = dirname(at)) {
    const dotGit = join(at, '.git');
    const kind = statSync(dotGit, { throwIfNoEntry: false });
    if (kind?.isDirectory() === true) return { top: at, gitDir: dotGit, commonDir: dotGit };
    if (kind?.isFile() === true) return linked(at, dotGit);
    if (dirname(at) === at) return null;
  }
}

/** A linked worktree: `.git` is a file that names its own git directory, which names the shared one. */
function linked(top: string, dotGit: string): Repository | null {
  const said = /^gitdir: (.+)$/m.exec(readText(dotGit) ?? '')?.[1];
  if (said === undefined) return null;
  const gitDir = resolve(top, said);
  const common = readText(join(gitDir, 'commondir'))?.trim();
  return { top, gitDir, commonDir: common === undefined ? gitDir : resolve(gitDir, common) };
}

function headOf(gitDir: string): string | null {
  return /^ref: refs\/heads\/(.+)$/m.exec(readText(join(gitDir, 'HEAD')) ?? '')?.[1] ?? null;
}

/** The plain values of git config's section `cambium`, where `join` and `init` write them. */
function cambiumSettings(commonDir: string): ReadonlyMap<string, string> {
  const section = /^\[cambium\]\n((?:[ \t].*\n?)*)/m.exec(readText(join(commonDir, 'config')) ?? '')?.[1] ?? '';
  return new Map([...section.matchAll(/^\s*(\w+)\s*=\s*(.*?)\s*$/gm)].map(([, key, value]) => [(key as string).toLowerCase(), (value as string).replace(/^"(.*)"$/, '$1')]));
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
