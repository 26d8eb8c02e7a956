/**
 * opencode, headless: `opencode run --format json`, the prompt on standard input.
 *
 * Its settings come by OPENCODE_CONFIG_CONTENT. Nothing of the tree is executed: a project's own settings, plugins and
 * commands are left out, though opencode would load them from any tree; AGENTS.md is read all the same, by its path.
 * It has no hooks that a program could be.
 */
import { join, relative } from 'node:path';
import type { ProviderConfig } from '../../model/config.ts';
import type { Provider, SpawnRequest, SpawnSpec } from '../../ports/provider.ts';
import { namedVariable } from '../system/environment.ts';
import { secretValues } from '../system/redact.ts';
import { clientProbe } from './clientProbe.ts';
import { environmentOf, modelNamed } from './clientSettings.ts';
import { judgeSpawn } from './judge.ts';
import { opencodeReader } from './opencodeReader.ts';

const PROMPT_FILE = 'prompt.md';

const CREDENTIALS = [
  'OPENCODE_API_KEY', 'ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'GEMINI_API_KEY', 'GOOGLE_GENERATIVE_AI_API_KEY', 'OPENROUTER_API_KEY', 'GROQ_API_KEY', 'MISTRAL_API_KEY', 'DEEPSEEK_API_KEY', 'XAI_API_KEY',
  'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE',
];

/** Services with an API of their own; every other one speaks OpenAI's chat completions. */
const OWN_DIALECT: readonly string[] = ['anthropic', 'openai', 'google'];
/** Under which a model without a service's name is asked at `base_url`. */
const LOCAL = 'cambium';

const EDITING_TOOLS: readonly string[] = ['write', 'edit', 'multiedit', 'patch', 'apply_patch'];

const QUIET = { OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1', OPENCODE_DISABLE_LSP_DOWNLOAD: '1', OPENCODE_DISABLE_PROJECT_CONFIG: '1', OPENCODE_DISABLE_CLAUDE_CODE_SKILLS: '1' } as const;

const INSTALL = 'Install opencode: `npm install -g opencode-ai`.';

export function createOpencode(name: string, config: ProviderConfig): Provider {
  const command = config.command.length === 0 ? ['opencode'] : config.command;
  const env = environmentOf(config);
  const rules = { changesFiles: (tool: string) => EDITING_TOOLS.includes(tool), secrets: secretValues(env) };
  return {
    name,
    // Any model of any maker.
    conversational: true,
    resumes: 'anywhere',
    probe: clientProbe({ name, command, install: INSTALL, env: { ...QUIET, ...env } }),
    model: (asked) => modelNamed(config, asked),
    prepare: (request) => prepare(request, command, config, env),
    reader: () => opencodeReader(),
    interpret: (request, end, readFile) => judgeSpawn(request, end, readFile, { ...rules, reader: () => opencodeReader(end.endedAt) }),
  };
}

function prepare(request: SpawnRequest, command: readonly string[], config: ProviderConfig, env: Readonly<Record<string, string>>): SpawnSpec {
  const home = join(request.home, 'opencode');
  const model = modelAt(config.baseUrl, request.model);
  return {
    argv: [...command, ...flags(request, model)],
    cwd: request.directory,
    env: { ...QUIET, OPENCODE_CONFIG_CONTENT: JSON.stringify(settings(request, model, config.baseUrl, env)), ...env, ...request.variables, HOME: home },
    keepEnv: CREDENTIALS,
    waitsForTools: true,
    stdin: request.prompt,
    files: { [PROMPT_FILE]: request.prompt },
    home: { path: home, files: {}, links: { '.local/share/opencode/auth.json': '.local/share/opencode/auth.json' } },
  };
}

/** Of its log the errors: it asks a service that fails again, and says so nowhere else. A title costs a request of its own. */
function flags({ spawn, task, resume, directory }: SpawnRequest, model: string | null): readonly string[] {
  return [
    'run', '--format', 'json', '--pure', '--print-logs', '--log-level', 'ERROR', '--dir', directory, '--title', task?.id ?? spawn,
    ...(model === null ? [] : ['--model', model]),
    ...(resume !== null && /^\w[\w-]{0,127}$/.test(resume.session) ? ['--session', resume.session] : []),
  ];
}

/** `service/model`, as opencode wants it; null for its own choice. */
function modelAt(baseUrl: string | null, model: string | null): string | null {
  return baseUrl === null || model?.includes('/') === true ? model : `${LOCAL}/${model ?? 'default'}`;
}

function settings(request: SpawnRequest, model: string | null, baseUrl: string | null, env: Readonly<Record<string, string>>): Readonly<Record<string, unknown>> {
  const { worktree, directory } = request;
  return {
    autoupdate: false, share: 'disabled', snapshot: false,
    instructions: [...new Set([worktree, directory])].map((folder) => join(folder, 'AGENTS.md')),
    permission: permissions(request),
    ...(baseUrl === null || model === null ? {} : { provider: service(baseUrl, model, env) }),
  };
}

/**
 * Denied and never asked: a question that nobody answers ends the run in the middle of its work, with exit 0. Files are
 * edited in the worktree and in the spawn's own folder; the paths of rules are relative to the worktree, and the last one holds.
 */
function permissions({ worktree, scratch, mayWrite }: SpawnRequest): Readonly<Record<string, unknown>> {
  const report = `${relative(worktree, scratch)}/*`;
  return {
    '*': 'allow', external_directory: 'allow', doom_loop: 'deny', question: 'deny',
    edit: mayWrite ? { '*': 'allow', '../*': 'deny', [report]: 'allow' } : { '*': 'deny', [report]: 'allow' },
  };
}

/** The key is named, not said: opencode reads the variable itself. */
function service(baseUrl: string, model: string, env: Readonly<Record<string, string>>): Readonly<Record<string, unknown>> {
  const [id = LOCAL, ...rest] = model.split('/');
  const isOwn = OWN_DIALECT.includes(id);
  const hasKey = !isOwn && (env['OPENAI_API_KEY'] ?? namedVariable('OPENAI_API_KEY') ?? '') !== '';
  const options = { baseURL: baseUrl, ...(hasKey ? { apiKey: '{env:OPENAI_API_KEY}' } : {}) };
  return { [id]: { ...(isOwn ? {} : { npm: '@ai-sdk/openai-compatible' }), options, models: { [rest.join('/')]: {} } } };
}
