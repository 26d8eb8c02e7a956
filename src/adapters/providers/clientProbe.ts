/** Whether an agent CLI is on this machine, and its version: asked once a program, however often a claim wants to know. */
import { realpath, stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { execa } from 'execa';
import type { Provider } from '../../ports/provider.ts';
import { programPath } from '../system/findProgram.ts';
import { minimalEnvironment } from '../system/spawnEnvironment.ts';

/** A CLI in Node takes seconds to start on a busy machine. */
const VERSION_MS_MAX = 30_000;

export interface ClientProgram {
  /** The provider's name in cambium.yaml. */
  readonly name: string;
  /** What is started: the CLI's name on PATH, or what `command` says. */
  readonly command: readonly string[];
  /** How it gets onto the machine, as a sentence. */
  readonly install: string;
  readonly env?: Readonly<Record<string, string>>;
}

type Probed = Awaited<ReturnType<Provider['probe']>>;

/** A probe with a memory: the program is run again when its file, or one that its command names, has changed. */
export function clientProbe(client: ClientProgram): () => Promise<Probed> {
  let known: { readonly key: string; readonly version: string } | null = null;
  return async () => {
    const [program = ''] = client.command;
    const path = isAbsolute(program) ? program : program.includes('/') ? null : await programPath(program);
    if (path === null) return missing(client, program);
    const key = await fingerprint([path, ...client.command.slice(1)]);
    if (key === null) return missing(client, program);
    if (known?.key === key) return { version: known.version };
    const probed = await askVersion(client, path);
    if ('version' in probed) known = { key, version: probed.version };
    return probed;
  };
}

function missing({ name, install }: ClientProgram, program: string): Probed {
  const where = program.includes('/') ? (isAbsolute(program) ? `${program} is not there.` : `${program} is not an absolute path.`) : `${program} is not on PATH.`;
  return { unavailable: where, hint: `${install} Or set providers.${name}.command in cambium.yaml.` };
}

/** Identity of the program and of the files among its arguments; null where the program is none. */
async function fingerprint(argv: readonly string[]): Promise<string | null> {
  const parts = await Promise.all(argv.map(async (part) => {
    const real = isAbsolute(part) ? await realpath(part).catch(() => null) : null;
    const found = real === null ? null : await stat(real).catch(() => null);
    return found?.isFile() === true ? `${part} ${real} ${found.mtimeMs} ${found.size}` : null;
  }));
  return parts[0] === null ? null : parts.map((part, index) => part ?? argv[index]).join('\n');
}

async function askVersion({ name, command, install, env = {} }: ClientProgram, path: string): Promise<Probed> {
  const said = await execa(path, [...command.slice(1), '--version'], {
    env: { ...minimalEnvironment(process.env), ...env }, extendEnv: false, stdin: 'ignore', timeout: VERSION_MS_MAX, reject: false, maxBuffer: 1024 * 1024,
  });
  const version = /\d+\.\d+\.\d+[\w.+-]*/.exec(`${said.stdout}\n${said.stderr}`)?.[0];
  if (said.exitCode === 0 && version !== undefined) return { version };
  const why = said.timedOut ? `did not end within ${VERSION_MS_MAX / 1000} s` : said.exitCode === 0 ? 'named no version' : `failed: ${said.stderr.trim().split('\n').at(-1) || (said.shortMessage ?? `exit ${said.exitCode}`)}`;
  return { unavailable: `\`${[path, ...command.slice(1)].join(' ')} --version\` ${why}.`, hint: `${install} Or set providers.${name}.command in cambium.yaml.` };
}
