/**
 * The Gemini CLI, headless: `gemini -o stream-json`, the prompt on standard input.
 *
 * Nothing that stands in the tree is executed. `--skip-trust` counts only once the settings have been read, so a project's
 * own settings (hooks, MCP servers, commands that list tools) are left out, while its tools and GEMINI.md are there; with
 * GEMINI_CLI_TRUST_WORKSPACE=true those commands would run, and without either it refuses the folder. `useExternal` skips
 * a check of the credentials that would read `.gemini/.env` of the trusted tree.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ProviderConfig } from '../../model/config.ts';
import type { Provider, SpawnRequest, SpawnSpec } from '../../ports/provider.ts';
import { namedVariable } from '../system/environment.ts';
import { secretValues } from '../system/redact.ts';
import { clientProbe } from './clientProbe.ts';
import { isSessionId, sessionFor } from './clientSession.ts';
import { environmentOf, modelNamed } from './clientSettings.ts';
import { failureOfExit, geminiReader, statusOfExit } from './geminiReader.ts';
import { hookSettings } from './hookSettings.ts';
import { judgeSpawn } from './judge.ts';

const PROMPT_FILE = 'prompt.md';
const POLICY_FILE = 'gemini-policy.toml';

/**
 * Aliases that the CLI itself resolves. None is `auto`, its default: a router that asks a small model before each turn, and
 * asks it five times while the service fails, up to minutes, whatever is set here.
 */
const MODELS = { high: 'pro', daily: 'flash', fast: 'flash-lite' } as const;

/** The person's credentials, whichever way: an API key, Vertex AI, a Google login, a gateway. */
const CREDENTIALS = [
  'GEMINI_API_KEY', 'GOOGLE_API_KEY', 'GOOGLE_GEMINI_BASE_URL', 'GOOGLE_VERTEX_BASE_URL', 'GOOGLE_GENAI_USE_VERTEXAI', 'GOOGLE_GENAI_USE_GCA', 'GOOGLE_CLOUD_PROJECT', 'GOOGLE_CLOUD_LOCATION',
  'GOOGLE_APPLICATION_CREDENTIALS', 'GEMINI_CLI_USE_COMPUTE_ADC', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE',
];

/** Google logins, in whichever form a version keeps them. */
const LOGINS = ['.gemini/oauth_creds.json', '.gemini/google_accounts.json', '.gemini/gemini-credentials.json'];

const EDITING_TOOLS: readonly string[] = ['write_file', 'replace'];

const INSTALL = 'Install the Gemini CLI: `npm install -g @google/gemini-cli`.';

export function createGemini(name: string, config: ProviderConfig): Provider {
  const command = config.command.length === 0 ? ['gemini'] : config.command;
  const env = { ...environmentOf(config), ...(config.baseUrl === null ? {} : { GOOGLE_GEMINI_BASE_URL: config.baseUrl, GOOGLE_VERTEX_BASE_URL: config.baseUrl }) };
  const secrets = secretValues(env);
  return {
    name,
    conversational: true,
    // It looks a session up by the folder that it was begun in.
    resumes: 'same-folder',
    probe: clientProbe({ name, command, install: INSTALL, env: QUIET }),
    model: (asked) => modelNamed(config, asked, MODELS),
    prepare: (request) => prepare(request, command, env),
    reader: () => geminiReader(),
    interpret: async (request, end, readFile) => {
      const report = await judgeSpawn(request, end, readFile, { reader: () => geminiReader(statusOfExit(end.exit)), changesFiles: (tool) => EDITING_TOOLS.includes(tool), secrets });
      return report.failure === 'crashed' ? { ...report, failure: failureOfExit(end.exit) ?? 'crashed' } : report;
    },
  };
}

/** It starts itself again with more memory otherwise, and a signal to the first process leaves the second one running. */
const QUIET = { GEMINI_CLI_NO_RELAUNCH: 'true' } as const;

function prepare(request: SpawnRequest, command: readonly string[], env: Readonly<Record<string, string>>): SpawnSpec {
  const home = `${request.home}/gemini`;
  const login = loginOf(env);
  return {
    argv: [...command, ...flags(request)],
    cwd: request.directory,
    env: { ...QUIET, ...(login === 'gemini-api-key' && !isSet('GEMINI_API_KEY', env) ? { GEMINI_API_KEY: 'none' } : {}), ...env, ...request.variables, HOME: home },
    keepEnv: CREDENTIALS,
    waitsForTools: true,
    stdin: plainPrompt(request.prompt, (path) => existsSync(join(request.directory, path))),
    files: { [PROMPT_FILE]: request.prompt, ...(request.mayWrite ? {} : { [POLICY_FILE]: readOnlyPolicy(request.scratch) }) },
    home: { path: home, files: { '.gemini/settings.json': `${JSON.stringify(settings(request, login), null, 2)}\n` }, links: Object.fromEntries(LOGINS.map((path) => [path, path])) },
  };
}

/** File tools are bound to the working directory and what is added to it: the report stands outside. */
function flags({ spawn, scratch, worktree, directory, resume, model, mayWrite }: SpawnRequest): readonly string[] {
  const session = resume !== null && isSessionId(resume.session) ? ['--resume', resume.session] : ['--session-id', sessionFor(spawn)];
  const added = directory === worktree ? [scratch] : [worktree, scratch];
  return [
    '-o', 'stream-json', '--skip-trust', '--approval-mode', 'yolo', ...session,
    ...added.flatMap((folder) => ['--include-directories', folder]),
    ...(mayWrite ? [] : ['--policy', `${scratch}/${POLICY_FILE}`]),
    ...(model === null ? [] : ['--model', model]),
  ];
}

type Login = 'gemini-api-key' | 'vertex-ai' | 'oauth-personal' | 'compute-default-credentials';

/**
 * What the CLI would choose by the environment, said outright: where it takes a base URL for a gateway of its own kind, it
 * asks a failing service ten times over. A server of one's own needs no key, and the CLI wants one all the same.
 */
function loginOf(env: Readonly<Record<string, string>>): Login {
  if (valueOf('GOOGLE_GENAI_USE_GCA', env) === 'true') return 'oauth-personal';
  if (valueOf('GOOGLE_GENAI_USE_VERTEXAI', env) === 'true') return 'vertex-ai';
  if (isSet('GEMINI_API_KEY', env) || isSet('GOOGLE_GEMINI_BASE_URL', env)) return 'gemini-api-key';
  if (isSet('GOOGLE_API_KEY', env)) return 'vertex-ai';
  return valueOf('GEMINI_CLI_USE_COMPUTE_ADC', env) === 'true' ? 'compute-default-credentials' : 'oauth-personal';
}

const valueOf = (name: string, env: Readonly<Record<string, string>>): string => env[name] ?? namedVariable(name) ?? '';
const isSet = (name: string, env: Readonly<Record<string, string>>): boolean => valueOf(name, env) !== '';

/** `maxAttempts` and `retryFetchErrors`: it asks ten times otherwise, for five minutes. An attempt and a fallback are ours to count. */
function settings({ maxTurns, hook }: SpawnRequest, login: Login): Readonly<Record<string, unknown>> {
  return {
    general: { enableAutoUpdate: false, enableAutoUpdateNotification: false, maxAttempts: 1, retryFetchErrors: false },
    privacy: { usageStatisticsEnabled: false },
    telemetry: { enabled: false },
    security: { auth: { selectedType: login, useExternal: true }, folderTrust: { enabled: true } },
    advanced: { ignoreLocalEnv: true },
    context: { fileName: ['AGENTS.md', 'GEMINI.md'], fileFiltering: { enableRecursiveFileSearch: false } },
    ...(maxTurns === null ? {} : { model: { maxSessionTurns: maxTurns } }),
    ...(hook === null ? {} : { hooks: hookSettings(hook, 'gemini') }),
  };
}

/** Without editing tools, but for the spawn's own folder, where the report goes. TOML's basic strings are JSON's. */
function readOnlyPolicy(scratch: string): string {
  const own = `"file_path":"${literal(JSON.stringify(`${scratch}/`).slice(1, -1))}(?!.*\\.\\.)`;
  const rule = (lines: readonly string[]): string => ['[[rule]]', ...lines, ''].join('\n');
  return [
    rule(['toolName = "write_file"', `argsPattern = ${JSON.stringify(own)}`, 'decision = "allow"', 'priority = 990']),
    rule([`toolName = ${JSON.stringify(EDITING_TOOLS)}`, 'decision = "deny"', 'priority = 980']),
  ].join('\n');
}

const literal = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/**
 * The prompt so that the CLI takes it for text. It replaces `@path` by the content of that file or folder, whoever wrote
 * it: a mention of an agent `@docs` would bring the whole folder of that name. Only where such a path exists is the sign
 * escaped, so that addresses, decorators and package names stay as they are. A slash at the very start is a command.
 */
export function plainPrompt(prompt: string, exists: (path: string) => boolean): string {
  const escaped = prompt.replaceAll(/(?<!\\)@(?=("[^"]*"|[^\s,;!?()[\]{}]+))/g, (sign, word: string) => (mayBePath(word, exists) ? `\\${sign}` : sign));
  return escaped.startsWith('/') ? `\n${escaped}` : escaped;
}

/** By its first part alone, with whatever punctuation follows it: a sign too many does no harm. */
function mayBePath(word: string, exists: (path: string) => boolean): boolean {
  const path = word.replaceAll(/["\\]/g, '');
  if (/^[/~.]/.test(path)) return true;
  const first = path.split('/')[0] ?? '';
  return [first, first.replace(/[^\p{L}\p{N}_-]+$/u, ''), first.split(/[^\p{L}\p{N}._-]/u)[0] ?? ''].some((part) => part !== '' && exists(part));
}
