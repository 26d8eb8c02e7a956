/** One CLI on a stage of its own before a scripted model: what the tests about bare CLIs share. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe } from 'vitest';
import { run, stage, type Ask, type Run, type Stage } from './drive.ts';
import { client, type Client, type ClientName, type Unavailable } from './install.ts';
import { modelServer, type ModelServer } from './modelServer.ts';
import { record } from './recording.ts';
import type { Script, Step } from './script.ts';

export interface Scene {
  readonly server: ModelServer;
  readonly at: Stage;
  ask(extra?: Partial<Ask>): Promise<Run>;
  /** The same, and kept as the fixture `<case>` where recordings are made. */
  recorded(name: string, extra?: Partial<Ask>): Promise<Run>;
}

const closing: (() => Promise<void> | void)[] = [];

/** The tests of one CLI, or one skipped suite that names the reason. */
export async function describeClient(name: ClientName, tests: (cli: Client) => void): Promise<void> {
  const found: Client | Unavailable = process.platform === 'linux' ? await client(name) : { name, unavailable: 'what a CLI leaves behind is read from /proc, which only Linux has' };
  if ('unavailable' in found) return void describe.skip(`${name} (${found.unavailable})`, () => tests({ name, version: '', program: '' }));
  describe(name, () => {
    afterEach(async () => {
      for (const close of closing.splice(0)) await close();
    });
    tests(found);
  });
}

export async function scene(cli: Client, script: Script): Promise<Scene> {
  const server = await modelServer(script);
  const at = stage(cli.name);
  closing.push(() => server.close(), () => at.remove());
  const ask = (extra: Partial<Ask> = {}): Promise<Run> => run(cli, at, { prompt: 'Write the greeting.', baseUrl: server.url, ...extra });
  const recorded = async (name: string, extra: Partial<Ask> = {}): Promise<Run> => {
    const ran = await ask(extra);
    record(cli, name, ran, at);
    return ran;
  };
  return { server, at, ask, recorded };
}

/** The session as the CLI's own output names it. */
export function sessionOf(ran: Run): string {
  return String(ran.lines.map((line) => line['session_id'] ?? line['thread_id'] ?? line['sessionID']).find((id) => typeof id === 'string'));
}

/** The only line of this type. Throws where there is none, or another one. */
export function lineOf(ran: Run, type: string): Readonly<Record<string, unknown>> {
  const [line, ...more] = ran.lines.filter((one) => one['type'] === type);
  if (line === undefined || more.length > 0) throw new Error(`${more.length + (line === undefined ? 0 : 1)} lines of the type ${type}`);
  return line;
}

/** A file, a command, a word: what every CLI does with its own tools. */
export const WORK: readonly Step[] = [
  { text: 'I write it.', calls: [{ tool: 'write', path: 'greeting.txt', text: 'hello\n' }] },
  { tool: 'bash', command: 'cat greeting.txt > copy.txt && echo copied' },
  { text: 'The greeting is written.', usage: { input: 300, output: 30, cached: 200 } },
];

/** A command that does not end by itself, and says in a file that it runs. */
export const ENDLESS: readonly Step[] = [{ tool: 'bash', command: 'echo $$ > started; tail -f /dev/null' }];

/** True once `ENDLESS` runs and the CLI has said so; opencode says nothing of a tool before its end. */
export const runsEndless = ({ name }: Client, { cwd }: Stage) => (stdout: string): boolean => (name === 'opencode' || stdout.includes('tail -f')) && existsSync(join(cwd, 'started'));
