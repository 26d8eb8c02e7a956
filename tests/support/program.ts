/** Starts a module given as text as a real node process, for tests that kill it. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface Program {
  readonly child: ChildProcess;
  readonly pid: number;
  /** The next line it prints; rejects when it ends without one. */
  line(): Promise<string>;
  /** Sends the signal and resolves when the process has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
}

export function startProgram(source: string, env: Readonly<Record<string, string>> = {}): Program {
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } });
  const lines: string[] = [];
  const waiting: { resolve(line: string): void; reject(cause: Error): void }[] = [];
  const exited = new Promise<void>((resolve) => void child.once('exit', () => resolve()));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const next = waiting.shift();
    if (next === undefined) lines.push(line);
    else next.resolve(line);
  }).on('close', () => waiting.forEach(({ reject }) => reject(new Error('the program ended'))));
  return {
    child,
    pid: child.pid ?? 0,
    line: () => new Promise((resolve, reject) => {
      const ready = lines.shift();
      if (ready === undefined) waiting.push({ resolve, reject });
      else resolve(ready);
    }),
    end: (signal) => {
      child.kill(signal);
      return exited;
    },
  };
}
