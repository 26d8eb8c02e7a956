/** Fresh workspaces in which the commands of a page are run as a reader would run them: by a shell, one after the other. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cli, cliJson, cliPath, start } from './cli.ts';
import type { Ran, Reply } from './cli.ts';
import { commandsOf, page } from './pages.ts';
import { gitIn, tempDir } from './repo.ts';

/** A workspace as `cambium init` makes it, on a machine where `cambium` is on PATH. */
export interface Place {
  readonly root: string;
  readonly path: string;
  /** Fills the placeholders of the page: `<task>`, `<epoch>`, `<commit>`. */
  readonly words: Map<string, string>;
  /** A line of the page, as a shell reads it, by the agent. */
  line(text: string): Promise<Ran>;
  /** What a person does meanwhile. */
  person(...args: readonly string[]): Promise<Ran>;
  json<T = Record<string, unknown>>(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Reply<T>>;
  write(file: string, text: string): void;
  read(file: string): string | null;
  remove(): void;
}

export async function makePlace(agent: string, config = ''): Promise<Place> {
  const dir = tempDir('templates');
  const [path, bin] = [join(dir.path, 'fleet'), join(dir.path, 'bin')];
  for (const folder of [path, bin]) mkdirSync(folder);
  writeFileSync(join(bin, 'cambium'), `#!/bin/sh\nexec '${process.execPath}' '${cliPath()}' "$@"\n`);
  chmodSync(join(bin, 'cambium'), 0o755);
  const gitconfig = join(dir.path, 'gitconfig');
  writeFileSync(gitconfig, '[user]\n\tname = Maria\n\temail = maria@example.org\n');
  const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, GIT_CONFIG_GLOBAL: gitconfig };
  gitIn(path, ['init', '--quiet', '--initial-branch=main']);
  gitIn(path, ['config', 'user.name', 'Maria']);
  gitIn(path, ['config', 'user.email', 'maria@example.org']);
  const place: Place = {
    root: dir.path, path, words: new Map(),
    line: (text) => start('sh', ['-c', [...place.words].reduce((line, [word, value]) => line.replaceAll(`<${word}>`, value), text)], { cwd: path, env: { ...env, CAMBIUM_AGENT: agent } }).ended,
    person: (...args) => cli(args, { cwd: path, env }),
    json: (args, more = {}) => cliJson(args, { cwd: path, env: { ...env, ...more } }),
    write(file, text) {
      mkdirSync(dirname(join(path, file)), { recursive: true });
      writeFileSync(join(path, file), text);
    },
    read: (file) => (existsSync(join(path, file)) ? readFileSync(join(path, file), 'utf8') : null),
    remove: () => dir.remove(),
  };
  await must(place.person('init'));
  if (config === '') return place;
  place.write('cambium.yaml', config);
  gitIn(path, ['commit', '--quiet', '--all', '-m', 'settings']);
  return place;
}

export async function must(ran: Promise<Ran>): Promise<Ran> {
  const { exit, stdout, stderr } = await ran;
  if (exit !== 0) throw new Error(`ended with ${exit}:\n${stdout}${stderr}`);
  return { exit, stdout, stderr };
}

/** One command of a page: what must be so before it, and how it must end. */
export interface Step {
  readonly line: string;
  readonly before?: (place: Place) => Promise<unknown>;
  /** 0 when unsaid. */
  readonly exit?: number;
  readonly says?: RegExp;
  readonly after?: (place: Place, ran: Ran) => unknown;
}

/** Runs the commands of a page one after the other, each a test of its own. */
export function runsAll(path: string, steps: readonly Step[], make: () => Promise<Place>, prepare: (place: Place) => Promise<unknown> = async () => undefined): void {
  let place: Place;
  beforeAll(async () => {
    place = await make();
    await prepare(place);
  }, 120_000);
  afterAll(() => place?.remove());

  it('are all known here', () => expect(commandsOf(page(path))).toEqual(steps.map(({ line }) => line)));

  it.each(steps.map((step, at) => [`${at + 1}. ${step.line}`, step] as const))('%s', async (_name, { line, before, exit = 0, says = /./, after }) => {
    await before?.(place);
    const ran = await place.line(line);
    expect(ran).toMatchObject({ exit });
    expect(ran.stdout + ran.stderr).toMatch(says);
    await after?.(place, ran);
  }, 120_000);
}

/** Options of a task that is done by one file that says Hello. */
export const GREETING = ['--criterion', 'greeting.txt says Hello', '--verify', 'grep -q Hello greeting.txt'];

export interface Claimed {
  readonly task: string;
  readonly epoch: number;
  readonly worktree: string;
}

/** Fills the placeholders with what a claim says. */
export function keep(place: Place, { task, epoch, worktree }: Claimed): void {
  for (const [word, value] of Object.entries({ task, epoch: String(epoch), worktree })) place.words.set(word, value);
}

/** A person adds a task, and the agent `helper` claims it. */
export async function claimAnother(place: Place, id: string): Promise<void> {
  await must(place.person('task', 'add', `Another: ${id}`, '--id', id));
  keep(place, (await place.json<Claimed & Record<string, unknown>>(['task', 'claim', id, '--agent', 'helper'])).data);
}
