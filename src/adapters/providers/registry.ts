/** The providers of a fleet by name: `runbook`, the CLIs that cambium knows, and each entry under `providers` in cambium.yaml. */
import { CambiumError } from '../../errors.ts';
import { CLIENTS } from '../../model/config.ts';
import type { Client, ProviderConfig } from '../../model/config.ts';
import type { Provider } from '../../ports/provider.ts';
import { builtPrograms } from '../system/programs.ts';
import { createClaude } from './claude.ts';
import { createCodex } from './codex.ts';
import { createCommand } from './command.ts';
import { createGemini } from './gemini.ts';
import { createOpencode } from './opencode.ts';
import { createRunbook } from './runbook.ts';

export interface ProvidersOptions {
  readonly programs?: { readonly runbook: string };
}

/** How a known CLI is made from its settings. */
export type ClientFactory = (name: string, config: ProviderConfig) => Provider;

const FACTORIES: Readonly<Partial<Record<Client, ClientFactory>>> = { claude: createClaude, gemini: createGemini, codex: createCodex, opencode: createOpencode };

/** Throws `bad-config` for an entry that cannot be. */
export function createProviders(config: Readonly<Record<string, ProviderConfig>>, { programs = builtPrograms() }: ProvidersOptions = {}): ReadonlyMap<string, Provider> {
  if (Object.hasOwn(config, 'runbook')) {
    throw new CambiumError('bad-config', '`runbook` is the built-in provider and cannot be configured as a command.', { hint: 'Give the entry under providers in cambium.yaml another name.' });
  }
  const runbook = createRunbook({ program: programs.runbook, node: process.execPath });
  const known = Object.fromEntries(CLIENTS.map((client): [string, ProviderConfig] => [client, { kind: client, command: [], env: {}, baseUrl: null, models: {} }]));
  const made = Object.entries({ ...known, ...config }).flatMap(([name, entry]) => createOne(name, entry) ?? []);
  return new Map([runbook, ...made].map((provider) => [provider.name, provider]));
}

function createOne(name: string, config: ProviderConfig): Provider | null {
  return config.kind === 'command' ? createCommand(name, config) : (FACTORIES[config.kind]?.(name, config) ?? null);
}
