/**
 * Claude Code, headless: `claude -p --output-format stream-json`, the prompt on standard input.
 *
 * What the agent may do is said by flags and by a settings file in the spawn's own folder. Nothing that stands in the
 * tree is executed: project settings (hooks, `env`, permissions) and `.mcp.json` are left out, though Claude Code would
 * load them from a tree that nobody trusted. CLAUDE.md and AGENTS.md are read all the same, as those of added folders.
 */
import type { ProviderConfig } from '../../model/config.ts';
import type { Provider, SpawnRequest, SpawnSpec } from '../../ports/provider.ts';
import { secretValues } from '../system/redact.ts';
import { claudeReader } from './claudeReader.ts';
import { clientProbe } from './clientProbe.ts';
import { isSessionId, sessionFor } from './clientSession.ts';
import { environmentOf, modelNamed } from './clientSettings.ts';
import { hookSettings } from './hookSettings.ts';
import { judgeSpawn } from './judge.ts';

const PROMPT_FILE = 'prompt.md';
const SETTINGS_FILE = 'claude-settings.json';
/** It stands in an added folder, so it is read: and with it what it imports, once, and only if it is there. */
const MEMORY_FILE = 'CLAUDE.md';

/** Aliases that Claude Code itself resolves to its newest model of the kind. */
const MODELS = { high: 'opus', daily: 'sonnet', fast: 'haiku' } as const;

/** The person's login, whichever way: a subscription's token, an API key, a gateway. */
const CREDENTIALS = [
  'ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'ANTHROPIC_BASE_URL', 'ANTHROPIC_CUSTOM_HEADERS', 'CLAUDE_CODE_OAUTH_TOKEN',
  'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE',
];

/** The default of 10 retries takes three minutes to say that a service is down: an attempt and a fallback are ours to count. */
const RETRIES_MAX = 2;
/** Headers that do not come: less than this is a slow model with a long prompt. */
const API_TIMEOUT_MS_MAX = 300_000;

const FREE_TOOLS = ['Bash', 'Read', 'Glob', 'Grep', 'WebFetch', 'WebSearch', 'Skill', 'Task', 'TodoWrite', 'TaskStop', 'Monitor'];
/** They leave the worktree, outlive the spawn, or talk to other sessions of this machine: all three are cambium's. */
const DENIED_TOOLS = ['EnterWorktree', 'ExitWorktree', 'CronCreate', 'CronDelete', 'CronList', 'ScheduleWakeup', 'RemoteTrigger', 'SendMessage', 'ListAgents', 'Workflow'];
const EDITING_TOOLS: readonly string[] = ['Edit', 'Write', 'MultiEdit', 'NotebookEdit'];

const INSTALL = 'Install Claude Code: `npm install -g @anthropic-ai/claude-code`.';

export function createClaude(name: string, config: ProviderConfig): Provider {
  const command = config.command.length === 0 ? ['claude'] : config.command;
  const env = environmentOf(config);
  const rules = { reader: claudeReader, changesFiles: (tool: string) => EDITING_TOOLS.includes(tool), secrets: secretValues(env) };
  return {
    name,
    conversational: true,
    // Another folder needs 2.1.198 or newer; the worktree of a task goes with its epoch.
    resumes: 'anywhere',
    probe: clientProbe({ name, command, install: INSTALL, env: { DISABLE_AUTOUPDATER: '1' } }),
    model: (asked) => modelNamed(config, asked, MODELS),
    prepare: (request) => prepare(request, command, { ...env, ...(config.baseUrl === null ? {} : { ANTHROPIC_BASE_URL: config.baseUrl }) }),
    reader: claudeReader,
    interpret: (request, end, readFile) => judgeSpawn(request, end, readFile, rules),
  };
}

function prepare(request: SpawnRequest, command: readonly string[], env: Readonly<Record<string, string>>): SpawnSpec {
  const home = `${request.home}/claude`;
  return {
    argv: [...command, ...flags(request)],
    cwd: request.directory,
    env: { ...quiet(request), ...env, ...request.variables, HOME: home },
    keepEnv: CREDENTIALS,
    waitsForTools: true,
    stdin: request.prompt,
    files: {
      [PROMPT_FILE]: request.prompt, [SETTINGS_FILE]: `${JSON.stringify(settings(request), null, 2)}\n`,
      [MEMORY_FILE]: memory(request),
    },
    home: { path: home, files: {}, links: { '.claude/.credentials.json': '.claude/.credentials.json' } },
    passOver: ['"type":"content_block_delta"'],
  };
}

/**
 * Of an added folder Claude Code reads CLAUDE.md alone, and many trees have AGENTS.md instead. It imports nothing from
 * outside the folder where it works, so what stands above that is named.
 */
function memory({ worktree, directory }: SpawnRequest): string {
  const own = `@${directory.replaceAll(' ', '\\ ')}/AGENTS.md\n`;
  return directory === worktree ? own : `${own}\nWhere ${worktree}/AGENTS.md exists, it holds for this work too: read it first.\n`;
}

/** Lists come before an option of one value: they take every word up to the next option. */
function flags({ spawn, scratch, worktree, directory, resume, model, maxTurns, budgetUsd }: SpawnRequest): readonly string[] {
  const session = resume !== null && isSessionId(resume.session) ? ['--resume', resume.session] : ['--session-id', sessionFor(spawn)];
  return [
    // Without partial messages it is silent while a long answer comes, and would be taken for hung.
    '-p', '--output-format', 'stream-json', '--verbose', '--include-partial-messages',
    '--setting-sources', '', '--strict-mcp-config', '--add-dir', ...new Set([worktree, directory, scratch]),
    '--settings', `${scratch}/${SETTINGS_FILE}`, '--permission-mode', 'dontAsk', ...session,
    ...(model === null ? [] : ['--model', model]),
    ...(maxTurns === null ? [] : ['--max-turns', String(maxTurns)]),
    ...(budgetUsd === null ? [] : ['--max-budget-usd', String(budgetUsd)]),
  ];
}

/** File tools are bound to the worktree and the spawn's own folder: a slip into the person's checkout is refused, not landed. */
function settings({ worktree, scratch, mayWrite, hook }: SpawnRequest): Readonly<Record<string, unknown>> {
  const editable = [...(mayWrite ? [worktree] : []), scratch].map((folder) => `Edit(/${literal(folder)}/**)`);
  return {
    permissions: { allow: [...FREE_TOOLS, ...editable], deny: DENIED_TOOLS },
    ...(hook === null ? {} : { hooks: hookSettings(hook, 'claude') }),
  };
}

/** Rules are patterns like those of .gitignore. */
const literal = (path: string): string => path.replace(/[\\*?[\]!#]/g, '\\$&');

function quiet({ timeoutMs }: SpawnRequest): Readonly<Record<string, string>> {
  return {
    CLAUDE_CODE_MAX_RETRIES: String(RETRIES_MAX), API_TIMEOUT_MS: String(Math.min(API_TIMEOUT_MS_MAX, Math.max(1000, Math.round(timeoutMs)))),
    // What it leaves in the background would be ended with it; a subagent there makes it report twice.
    CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: '1',
    DISABLE_AUTOUPDATER: '1', CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    // Memory is the fleet's (memory/), where others see it.
    CLAUDE_CODE_DISABLE_AUTO_MEMORY: '1', CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD: '1',
  };
}
