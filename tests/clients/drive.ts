/** Starts a real CLI as CLIENTS' contract says (flags, environment, prompt on an ended stdin), bounded by a wall clock, with no process left behind. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { tempDir, until } from '../support/temp.ts';
import type { Client } from './install.ts';

/** Folders of one test: where the CLI works, and its own HOME. */
export interface Stage {
  readonly cwd: string;
  readonly home: string;
  remove(): void;
}

export interface Run {
  /** Null where a signal ended it. */
  readonly exit: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The JSON lines of stdout. Throws where one is no JSON. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  /** The wall clock ended it. */
  readonly timedOut: boolean;
  /** Processes of this run that were still alive two seconds after its end; they have been killed. */
  readonly left: number;
}

export interface Ask {
  readonly prompt: string;
  readonly baseUrl: string;
  /** Chosen by the caller for claude and gemini; codex chooses its own. */
  readonly session?: string;
  /** The session to go on with. */
  readonly resume?: string;
  /** Added to the CLI's own flags. */
  readonly flags?: readonly string[];
  /** Instead of the flags that let it use its tools. */
  readonly permission?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly limitMs?: number;
  /** Sends a signal to the CLI alone, once `when` holds of what it has printed so far. */
  readonly signal?: { readonly name: NodeJS.Signals; readonly when: (stdout: string) => boolean };
  /** Merged into gemini's `general` settings. */
  readonly general?: Readonly<Record<string, unknown>>;
}

/** HOME is not below /tmp: there codex makes no sandbox helpers, and every command fails with exit status 0. */
export function stage(name: string): Stage {
  const homes = join(homedir(), '.cache', 'cambium-clients-test');
  mkdirSync(homes, { recursive: true });
  const home = mkdtempSync(join(homes, `${name}-`));
  const cwd = tempDir(`client-${name}`);
  return { cwd: cwd.path, home, remove: () => [() => rmSync(home, { recursive: true, force: true, maxRetries: 3 }), cwd.remove].forEach((remove) => remove()) };
}

interface Start {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const GEMINI_SETTINGS = { security: { auth: { selectedType: 'gemini-api-key' } }, general: { enableAutoUpdate: false }, privacy: { usageStatisticsEnabled: false }, telemetry: { enabled: false } };

function startClaude(ask: Ask): Start {
  const session = ask.resume === undefined ? ['--session-id', ask.session ?? randomUUID()] : ['--resume', ask.resume];
  const permission = ask.permission ?? ['--permission-mode', 'dontAsk', '--allowedTools', 'Bash,Write,Edit,Read'];
  const env = { ANTHROPIC_BASE_URL: ask.baseUrl, ANTHROPIC_API_KEY: 'sk-ant-scripted', CLAUDE_CODE_MAX_RETRIES: '0', CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_AUTOUPDATER: '1' };
  return { argv: ['-p', '--output-format', 'stream-json', '--verbose', ...session, ...permission, ...(ask.flags ?? [])], env };
}

function startCodex(ask: Ask, { cwd, home }: Stage): Start {
  const provider = `[model_providers.scripted]\nname = "scripted"\nbase_url = "${ask.baseUrl}/v1"\nenv_key = "OPENAI_API_KEY"\nwire_api = "responses"\nrequest_max_retries = 0\nstream_max_retries = 0\n`;
  writeFileSync(join(home, 'config.toml'), `model_provider = "scripted"\n\n${provider}`);
  const common = ['--json', '--skip-git-repo-check', '--disable', 'plugins'];
  const permission = ask.permission ?? ['-s', 'workspace-write'];
  // `exec resume` knows neither -s nor -C.
  const argv = ask.resume === undefined ? ['exec', ...common, ...permission, '-C', cwd, ...(ask.flags ?? []), '-'] : ['exec', 'resume', ...common, '-c', 'sandbox_mode="workspace-write"', ...(ask.flags ?? []), ask.resume, '-'];
  return { argv, env: { CODEX_HOME: home, OPENAI_API_KEY: 'sk-scripted' } };
}

/** TMPDIR: it leaves a report there for each API error. */
function startGemini(ask: Ask, { home }: Stage): Start {
  const settings = join(home, '.gemini/settings.json');
  mkdirSync(dirname(settings), { recursive: true });
  writeFileSync(settings, JSON.stringify({ ...GEMINI_SETTINGS, general: { ...GEMINI_SETTINGS.general, ...ask.general } }));
  const session = ask.resume === undefined ? ['--session-id', ask.session ?? randomUUID()] : ['--resume', ask.resume];
  const permission = ask.permission ?? ['--approval-mode', 'yolo'];
  const env = { GOOGLE_GEMINI_BASE_URL: ask.baseUrl, GEMINI_API_KEY: 'scripted', GEMINI_CLI_TRUST_WORKSPACE: 'true', GEMINI_CLI_NO_RELAUNCH: 'true', TMPDIR: home };
  return { argv: ['-o', 'stream-json', ...permission, ...session, ...(ask.flags ?? [])], env };
}

/** Its settings are in its HOME: in the working directory they would be somebody's change. */
function startOpencode(ask: Ask, { home }: Stage): Start {
  const settings = join(home, '.config/opencode/opencode.json');
  mkdirSync(dirname(settings), { recursive: true });
  writeFileSync(settings, JSON.stringify({ autoupdate: false, share: 'disabled', provider: { anthropic: { options: { baseURL: `${ask.baseUrl}/v1`, apiKey: 'sk-ant-scripted' } } } }));
  const session = ask.resume === undefined ? [] : ['-s', ask.resume];
  const env = { OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1' };
  return { argv: ['run', '--format', 'json', '--model', 'anthropic/claude-sonnet-4-5', ...session, ...(ask.flags ?? [])], env };
}

const STARTS = { claude: startClaude, codex: startCodex, gemini: startGemini, opencode: startOpencode };

/** Runs to its end, or to `limitMs` (60 s where it is not said). */
export async function run(client: Client, at: Stage, ask: Ask): Promise<Run> {
  const { argv, env } = STARTS[client.name](ask, at);
  const mark = randomUUID();
  const path = `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`;
  const child = spawn(client.program, argv, { cwd: at.cwd, detached: true, stdio: 'pipe', env: { PATH: path, HOME: at.home, LANG: 'C.UTF-8', CAMBIUM_CLIENT_TEST: mark, ...env, ...ask.env } });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (said.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (said.stderr += text));
  child.stdin.on('error', () => undefined);
  child.stdin.end(ask.prompt);
  const { signal: wish } = ask;
  const wishing = wish === undefined ? undefined : setInterval(() => void (wish.when(said.stdout) && (clearInterval(wishing), child.kill(wish.name))), 20);
  let timedOut = false;
  const limit = setTimeout(() => {
    timedOut = true;
    endAll(mark);
  }, ask.limitMs ?? 60_000);
  const closed = new Promise<void>((resolve) => void child.on('close', () => resolve()));
  const [exit, signal] = await new Promise<readonly [number | null, string | null]>((resolve, reject) => child.on('error', reject).on('exit', (code, by) => resolve([code, by])));
  for (const timer of [limit, wishing]) clearTimeout(timer);
  const left = (await remaining(mark)).length;
  endAll(mark);
  // Whoever held the pipes is gone now, so they end.
  await closed;
  return { exit, signal, ...said, timedOut, left, get lines() { return linesOf(said.stdout); } };
}

const linesOf = (text: string): readonly Readonly<Record<string, unknown>>[] => text.split('\n').filter((line) => line.trim() !== '').map((line) => JSON.parse(line) as Record<string, unknown>);

/** Kills every process that was started with this mark in its environment, until none is found. */
export function endAll(mark: string): void {
  for (let found = marked(mark); found.length > 0; found = marked(mark)) for (const pid of found) kill(pid);
}

/** What a CLI told to end goes on ending for a moment after it; what is still there then stays. */
async function remaining(mark: string): Promise<readonly number[]> {
  const isEmpty = (): true | null => (marked(mark).length === 0 ? true : null);
  return (await until(isEmpty, 2_000).catch(() => false)) === true ? [] : marked(mark);
}

export function marked(mark: string): readonly number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => pid !== process.pid && environmentOf(pid).includes(`CAMBIUM_CLIENT_TEST=${mark}`));
}

/** Empty for a process that has ended meanwhile, a zombie, and one of another user. */
function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone meanwhile.
  }
}
