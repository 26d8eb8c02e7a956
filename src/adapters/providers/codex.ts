/**
 * codex, headless: `codex exec --json -`, the prompt on standard input.
 *
 * All that it is told stands in its flags: its settings file is not read, so nothing that an agent leaves in its home speaks
 * at the next spawn, and two spawns of one agent do not write the same file. A tree's own `.codex/` (settings, hooks) is
 * left out by codex, since nobody trusted the folder; AGENTS.md is read, and CLAUDE.md where there is none.
 */
import { createHash } from 'node:crypto';
import { homedir, tmpdir } from 'node:os';
import { join, resolve, sep } from 'node:path';
import type { ProviderConfig } from '../../model/config.ts';
import type { Provider, SpawnRequest, SpawnSpec } from '../../ports/provider.ts';
import { namedVariable } from '../system/environment.ts';
import { secretValues } from '../system/redact.ts';
import { clientProbe } from './clientProbe.ts';
import { isSessionId } from './clientSession.ts';
import { environmentOf, modelNamed } from './clientSettings.ts';
import { PATCH, codexReader } from './codexReader.ts';
import { sandboxFlags, sandboxNamed, toml } from './codexSandbox.ts';
import { hookSettings } from './hookSettings.ts';
import { judgeSpawn } from './judge.ts';

const PROMPT_FILE = 'prompt.md';
const CACHES = '.cache';
/** What it is told about itself, and about nothing of the work. */
const CACHES_NOTE = 'Caches of what this agent runs. May be deleted at any time.\n';

/** codex's own service takes a login or CODEX_API_KEY; OPENAI_API_KEY is read for `base_url` alone, so that no key is charged beside a login. */
const KEYS = ['CODEX_API_KEY', 'OPENAI_API_KEY'];
const CREDENTIALS = [...KEYS, 'CODEX_CA_CERTIFICATE', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE'];

/** Of `base_url`. codex's own service cannot be set: it asks up to 6 times, half a minute. */
const RETRIES_MAX = 1;

const INSTALL = 'Install codex: `npm install -g @openai/codex`.';

export function createCodex(name: string, config: ProviderConfig): Provider {
  const command = config.command.length === 0 ? ['codex'] : config.command;
  const env = environmentOf(config);
  const zone = zoneOf(env);
  const secrets = secretValues(env);
  return {
    name,
    conversational: true,
    resumes: 'anywhere',
    probe: clientProbe({ name, command, install: INSTALL, env }),
    // It has no names that stay: a tier that cambium.yaml does not map is its own choice.
    model: (asked) => modelNamed(config, asked),
    prepare: (request) => prepare(request, command, config, env),
    reader: () => codexReader(),
    interpret: (request, end, readFile) => judgeSpawn(request, end, readFile, { reader: () => codexReader({ at: end.endedAt, zone }), changesFiles: (tool) => tool === PATCH, secrets }),
  };
}

/** In which codex says times of day. */
const zoneOf = (env: Readonly<Record<string, string>>): string => env['TZ'] ?? Intl.DateTimeFormat().resolvedOptions().timeZone;

function prepare(request: SpawnRequest, command: readonly string[], config: ProviderConfig, env: Readonly<Record<string, string>>): SpawnSpec {
  const home = codexHome(request.home);
  const caches = join(home, CACHES);
  const hooks = request.hook === null ? {} : hookSettings(request.hook, 'codex');
  return {
    argv: [...command, ...flags(request, config, env, caches)],
    cwd: request.directory,
    env: { XDG_CACHE_HOME: caches, npm_config_cache: join(caches, 'npm'), ...env, ...request.variables, HOME: home, CODEX_HOME: join(home, '.codex') },
    keepEnv: CREDENTIALS,
    waitsForTools: true,
    stdin: request.prompt,
    files: { [PROMPT_FILE]: request.prompt },
    home: {
      path: home,
      files: { '.codex/hooks.json': `${JSON.stringify({ hooks }, null, 2)}\n`, [`${CACHES}/README`]: CACHES_NOTE },
      links: { '.codex/auth.json': '.codex/auth.json' },
    },
  };
}

function flags(request: SpawnRequest, { baseUrl }: ProviderConfig, env: Readonly<Record<string, string>>, caches: string): readonly string[] {
  const { resume, directory, model, hook } = request;
  const session = resume !== null && isSessionId(resume.session) ? resume.session : null;
  const sandbox = sandboxNamed(env['CAMBIUM_CODEX_SANDBOX'] ?? namedVariable('CAMBIUM_CODEX_SANDBOX'));
  return [
    'exec', ...(session === null ? ['-C', directory] : ['resume']),
    '--json', '--skip-git-repo-check', '--ignore-user-config',
    ...settings({
      // Plugins are looked for over the network. A refused connection is waited on for ever otherwise.
      'features.plugins': 'false', 'features.unbounded_connection_retries': 'false', 'check_for_update_on_startup': 'false',
      'project_doc_fallback_filenames': toml(['CLAUDE.md']),
      // Its own credentials are none of the commands that the agent runs.
      'shell_environment_policy.exclude': toml(KEYS),
      ...(baseUrl === null ? {} : { 'model_provider': toml('cambium'), 'model_providers.cambium': service(baseUrl, env) }),
    }),
    ...sandboxFlags(request, sandbox, caches),
    // They are ours, written for this spawn: nobody is there to review them.
    ...(hook === null ? [] : ['--dangerously-bypass-hook-trust']),
    ...(model === null ? [] : ['-m', model]),
    ...(session === null ? [] : [session]), '-',
  ];
}

const settings = (values: Readonly<Record<string, string>>): readonly string[] => Object.entries(values).flatMap(([key, value]) => ['-c', `${key}=${value}`]);

/** A key is named where there is one: codex refuses to start for one that is not set, and a local model needs none. */
function service(baseUrl: string, env: Readonly<Record<string, string>>): string {
  const key = KEYS.find((name) => (env[name] ?? namedVariable(name) ?? '') !== '');
  const texts = { name: 'cambium', base_url: baseUrl, wire_api: 'responses', ...(key === undefined ? {} : { env_key: key }) };
  return `${toml(texts).slice(0, -1)},request_max_retries=${RETRIES_MAX},stream_max_retries=${RETRIES_MAX}}`;
}

/**
 * Below a temporary folder codex makes no helpers for its sandbox, and every command then fails while it exits 0. Such a
 * home is put among the person's state, by a hash of where it would have been.
 */
function codexHome(home: string): string {
  const wanted = join(home, 'codex');
  if (!['/tmp', '/var/tmp', tmpdir()].some((folder) => `${resolve(wanted)}${sep}`.startsWith(`${resolve(folder)}${sep}`))) return wanted;
  const state = namedVariable('XDG_STATE_HOME') ?? join(homedir(), '.local', 'state');
  return join(state, 'cambium', 'homes', createHash('sha256').update(resolve(home)).digest('hex').slice(0, 16), 'codex');
}
