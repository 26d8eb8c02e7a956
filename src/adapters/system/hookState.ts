/**
 * What hooks remember of a session, in the clone's git directory: small files whose making is the remembering, so that of two
 * hooks that run at once exactly one makes the mark.
 */
import { closeSync, lstatSync, mkdirSync, openSync, readFileSync, readdirSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export interface HookState {
  /** True for the first who asks in this session; false for all others, and where nothing can be written. */
  once(mark: string): boolean;
  /** Forgets the marks of this session. */
  forget(): void;
  /** A text kept for the clone; null where there is none. */
  read(name: string): string | null;
  write(name: string, text: string): void;
  /** The text of a record that the command line keeps for this clone (ports/local.ts). */
  record(key: string): string | null;
  /** Claims that were won by hand in this clone: whatever stands in their records. */
  claims(): readonly Readonly<Record<string, unknown>>[];
  /** Removes marks of sessions that never said that they ended. */
  sweep(): void;
}

const SWEEP_AGE_MS = 7 * 86_400_000;

/** `session` is a plain name (model/hook.ts). Never throws: a hook that cannot remember does nothing. */
export function openHookState(stateDir: string, session: string): HookState {
  const home = join(stateDir, 'hooks');
  const marks = join(home, 'sessions', session);
  return {
    once: (mark) => quietly(() => {
      mkdirSync(marks, { recursive: true, mode: 0o700 });
      closeSync(openSync(join(marks, mark), 'wx', 0o600));
      return true;
    }) ?? false,
    forget: () => void quietly(() => rmSync(marks, { recursive: true, force: true })),
    read: (name) => quietly(() => readFileSync(join(home, name), 'utf8')),
    write: (name, text) => void quietly(() => {
      mkdirSync(home, { recursive: true, mode: 0o700 });
      const half = join(home, `.${process.pid}-${name}`);
      writeFileSync(half, text, { mode: 0o600 });
      renameSync(half, join(home, name));
    }),
    record: (key) => quietly(() => readFileSync(join(stateDir, 'local', `${key}.json`), 'utf8')),
    claims: () => jsonFiles(join(stateDir, 'local', 'sessions')),
    sweep: () => void quietly(() => {
      for (const name of readdirSync(dirname(marks))) {
        const path = join(dirname(marks), name);
        if (Date.now() - statSync(path).mtimeMs > SWEEP_AGE_MS) rmSync(path, { recursive: true, force: true });
      }
    }),
  };
}

function jsonFiles(folder: string): readonly Readonly<Record<string, unknown>>[] {
  const names = quietly(() => readdirSync(folder)) ?? [];
  return names.filter((name) => name.endsWith('.json') && !name.startsWith('.')).flatMap((name) => {
    const value = quietly((): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8')));
    return typeof value === 'object' && value !== null ? [value as Record<string, unknown>] : [];
  });
}

function quietly<T>(deed: () => T): T | null {
  try {
    return deed();
  } catch {
    return null;
  }
}

/** The text of a small plain file of a checkout; null where there is none. */
export function smallFile(path: string): string | null {
  return quietly(() => (statSync(path).size > 262_144 ? null : readFileSync(path, 'utf8')));
}

/** True where a file with anything in it stands at the path. */
export function hasText(path: string): boolean {
  return quietly(() => readFileSync(path, 'utf8').trim() !== '') ?? false;
}

/** The path with every symlink on the way resolved, though its end may not exist yet. */
export function realPath(path: string): string {
  const real = quietly(() => realpathSync(path));
  if (real !== null) return real;
  // A link to nowhere is written through; what it points to is unknown, so it stays as it is.
  if (dirname(path) === path || quietly(() => lstatSync(path).isSymbolicLink()) === true) return path;
  return join(realPath(dirname(path)), basename(path));
}
