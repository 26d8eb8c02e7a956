/** The command line as its users have it: real processes of the built cli, without anything of the person who runs the tests. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { distDir } from './build.ts';

/** The built cli; CAMBIUM_DIST names another build than that of the sources as they stand. */
export const cliPath = (): string => `${process.env['CAMBIUM_DIST'] ?? distDir()}/cli.js`;

/** Nothing of the person's git configuration, of a running fleet, or of colours reaches a test. */
export function cleanEnv(more: Readonly<Record<string, string | undefined>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(CAMBIUM_|GIT_|VITEST|NODE_OPTIONS|FORCE_COLOR)/.test(name));
  return { ...Object.fromEntries(kept), GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', NO_COLOR: '1', ...more };
}

export interface Ran {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  /** Another build's `dist/`: that of an earlier version. */
  readonly dist?: string;
}

const HELD_PIPES_MS = 3_000;

/** A process that was started and may be signalled, with all it has said so far. */
export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly ended: Promise<Ran>;
  said(): string;
}

export function start(file: string, args: readonly string[], options: RunOptions): Running {
  const child = spawn(file, args, { cwd: options.cwd, env: cleanEnv(options.env), stdio: ['pipe', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => { stdout += chunk; });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => { stderr += chunk; });
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exit) => resolve({ exit, stdout, stderr }));
    // What a killed process leaves running may hold its pipes open; what it said itself has come by then.
    child.once('exit', (exit) => void wait(HELD_PIPES_MS, null, { ref: false }).then(() => resolve({ exit, stdout, stderr })));
  });
  ended.catch(() => undefined);
  return { child, pid: child.pid ?? 0, ended, said: () => stdout + stderr };
}

export function startCli(args: readonly string[], options: RunOptions): Running {
  return start(process.execPath, [options.dist === undefined ? cliPath() : `${options.dist}/cli.js`, ...args], options);
}

/** Runs `cambium …` to its end. Every exit code is a value. */
export function cli(args: readonly string[], options: RunOptions): Promise<Ran> {
  return startCli(args, options).ended;
}

export interface Reply<T> {
  readonly exit: number | null;
  readonly ok: boolean;
  readonly data: T;
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string; readonly data?: Record<string, unknown> };
}

/** Runs `cambium … --json` and reads its one line. */
export async function cliJson<T = Record<string, unknown>>(args: readonly string[], options: RunOptions): Promise<Reply<T>> {
  const { exit, stdout, stderr } = await cli([...args, '--json'], options);
  try {
    return { exit, ...(JSON.parse(stdout) as Omit<Reply<T>, 'exit'>) };
  } catch {
    throw new Error(`cambium ${args.join(' ')} answered no JSON (exit ${exit}):\n${stdout}\n${stderr}`);
  }
}
