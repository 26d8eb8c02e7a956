/**
 * A git process that lives as long as the store uses it. While nothing is asked of it, it does not keep this
 * process alive: a command may simply end, and git ends with its standard input.
 */
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { startGit } from './run.ts';
import type { GitOptions } from './run.ts';

export interface HelperEvents {
  data(chunk: Buffer): void;
  /** Called once, after the last data. `said` is the tail of standard error; `cause` is set when git could not be started. */
  ended(said: string, cause?: Error): void;
}

export interface Helper {
  write(text: string): void;
  /** True while an answer is awaited. */
  busy(awaited: boolean): void;
  /** Lets git finish what it was asked and resolves when it has ended. */
  end(): Promise<void>;
}

const SAID_MAX = 4_096;

export function startHelper(args: readonly string[], options: GitOptions, events: HelperEvents): Helper {
  const child = startGit(args, options);
  const handles = [child, ...[child.stdin, child.stdout, child.stderr].map(asSocket)];
  let said = '';
  let over = false;
  let ending = false;
  const done = new Promise<void>((resolve) => {
    const finish = (cause?: Error): void => {
      if (!over) events.ended(said, cause);
      over = true;
      resolve();
    };
    child.on('error', finish);
    child.on('close', () => finish());
  });
  child.stdout.on('data', (chunk: Buffer) => events.data(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(-SAID_MAX);
  });
  // A git that died before it read its input tells so by its end.
  child.stdin.on('error', () => undefined);
  const busy = (awaited: boolean): void => handles.forEach((handle) => void (awaited ? handle.ref() : handle.unref()));
  busy(false);
  return {
    write: (text) => void child.stdin.write(text),
    busy(awaited) {
      if (!ending) busy(awaited);
    },
    end() {
      // Whoever awaits the end must live to see it.
      if (!over) busy(true);
      ending = true;
      child.stdin.end();
      return done;
    },
  };
}

/** Node's pipes are sockets, which its types do not say. */
function asSocket(stream: Readable | Writable): Socket {
  return stream as Socket;
}
