/**
 * The real agent CLIs in pinned versions, installed once from the npm registry into a cache by their package names.
 *
 *   const claude = await client('claude');
 *   describe.skipIf('unavailable' in claude)(…)
 *
 * The cache is `$CAMBIUM_CLIENTS_DIR`, else `~/.cache/cambium-clients`, a folder a client and version. A folder appears
 * by one rename, so a killed install leaves none that is half there, and several may install at the same time.
 * No install script runs. Without a network, or where a CLI has no build for this platform, the answer is the reason:
 * suites then skip with it. `CAMBIUM_CLIENTS_REQUIRED=1` makes that an error, for CI.
 */
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';

export type ClientName = 'claude' | 'codex' | 'gemini' | 'opencode';

export interface Client {
  readonly name: ClientName;
  readonly version: string;
  /** Absolute path of the program; its file name is the CLI's usual one, so that its folder can be put on a PATH. */
  readonly program: string;
}

export interface Unavailable {
  readonly name: ClientName;
  /** Why, as a sentence's end: `no network: getaddrinfo ENOTFOUND …`. */
  readonly unavailable: string;
}

export interface Pin {
  readonly package: string;
  readonly version: string;
  /** The program below `node_modules`, or null where this platform has none. */
  program(modules: string): string | null;
}

const INSTALL_MS = 300_000;

const linked = (name: string) => (modules: string): string | null => existing(join(modules, '.bin', name));
const existing = (path: string): string | null => (existsSync(path) ? path : null);

/** Its postinstall puts the platform's binary in place; without scripts the platform package has it. */
function claudeBinary(modules: string): string | null {
  const scope = join(modules, '@anthropic-ai');
  const names = readdirSync(scope).filter((name) => name.startsWith(`claude-code-${process.platform}-${process.arch}`));
  return names.map((name) => existing(join(scope, name, 'claude'))).find((path) => path !== null) ?? null;
}

export const PINS: Readonly<Record<ClientName, Pin>> = {
  claude: { package: '@anthropic-ai/claude-code', version: '2.1.329', program: claudeBinary },
  codex: { package: '@openai/codex', version: '0.169.0', program: linked('codex') },
  gemini: { package: '@google/gemini-cli', version: '0.61.0', program: linked('gemini') },
  opencode: { package: 'opencode-ai', version: '1.18.33', program: opencodeBinary },
};

/** As with claude, its postinstall links what the platform package holds. */
function opencodeBinary(modules: string): string | null {
  return existing(join(modules, `opencode-${process.platform}-${process.arch}`, 'bin', 'opencode'));
}

/** opencode is large and slow, and asked for by name: `CAMBIUM_CLIENTS=opencode`. */
export const isWanted = (name: ClientName): boolean => name !== 'opencode' || (process.env['CAMBIUM_CLIENTS'] ?? '').split(',').includes('opencode');

/** Installs what is not there yet. Throws where npm fails for another reason than the network: a pin that does not exist is a mistake. */
export async function client(name: ClientName, pin: Pin = PINS[name]): Promise<Client | Unavailable> {
  if (!isWanted(name)) return { name, unavailable: 'not asked for: CAMBIUM_CLIENTS=opencode' };
  const found = await installed(name, pin);
  if ('unavailable' in found && process.env['CAMBIUM_CLIENTS_REQUIRED'] === '1') throw new Error(`${name} is required and unavailable: ${found.unavailable}`);
  return found;
}

async function installed(name: ClientName, pin: Pin): Promise<Client | Unavailable> {
  const { version } = pin;
  const cache = process.env['CAMBIUM_CLIENTS_DIR'] ?? join(homedir(), '.cache', 'cambium-clients');
  const home = join(cache, `${name}-${version}-${process.platform}-${process.arch}`);
  const program = join(home, 'bin', name);
  if (existsSync(program)) return { name, version, program };
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, `.${name}-`));
  try {
    const failed = await fill(name, pin, making);
    if (failed !== null) return { name, unavailable: failed };
    publish(making, home);
    return { name, version, program };
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}

/** Null when the folder is whole, with `bin/<name>` in it. */
async function fill(name: ClientName, pin: Pin, folder: string): Promise<string | null> {
  const argv = ['install', '--ignore-scripts', '--no-save', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', folder, `${pin.package}@${pin.version}`];
  try {
    await promisify(execFile)('npm', argv, { timeout: INSTALL_MS, cwd: folder });
  } catch (cause) {
    return noNetwork(cause);
  }
  const program = pin.program(join(folder, 'node_modules'));
  if (program === null) return `${pin.package}@${pin.version} has no program for ${process.platform} ${process.arch}`;
  const link = join(folder, 'bin', name);
  mkdirSync(dirname(link));
  chmodSync(program, 0o755);
  symlinkSync(relative(dirname(link), program), link);
  return null;
}

/** The network's part of an npm failure; everything else is thrown on. */
function noNetwork(cause: unknown): string {
  const said = typeof cause === 'object' && cause !== null && 'stderr' in cause ? String(cause.stderr) : '';
  if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return 'npm is not installed';
  if (cause instanceof Error && 'killed' in cause && cause.killed === true) return `npm did not end within ${INSTALL_MS / 1000} s`;
  const line = said.split('\n').find((text) => /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT/.test(text));
  if (line === undefined) throw cause;
  return `no network: ${line.replace(/^npm (error|ERR!)\s*/, '')}`;
}

/** Whoever renames first wins; the other's folder is the same and goes. */
function publish(making: string, home: string): void {
  try {
    renameSync(making, home);
  } catch (cause) {
    if (!existsSync(home)) throw cause;
  }
}
