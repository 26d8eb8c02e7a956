/** The providers of a fleet by name: `runbook`, and one for each entry under `providers` in cambium.yaml. */
import { CambiumError } from '../../errors.ts';
import type { Provider } from '../../ports/provider.ts';
import { builtPrograms } from '../system/programs.ts';
import { createCommand } from './command.ts';
import type { CommandConfig } from './command.ts';
import { createRunbook } from './runbook.ts';

export interface ProvidersOptions {
  readonly programs?: { readonly runbook: string };
}

/** Throws `bad-config` for an entry that cannot be. */
export function createProviders(config: Readonly<Record<string, CommandConfig>>, { programs = builtPrograms() }: ProvidersOptions = {}): ReadonlyMap<string, Provider> {
  if (Object.hasOwn(config, 'runbook')) {
    throw new CambiumError('bad-config', '`runbook` is the built-in provider and cannot be configured as a command.', { hint: 'Give the entry under providers in cambium.yaml another name.' });
  }
  const runbook = createRunbook({ program: programs.runbook, node: process.execPath });
  const commands = Object.entries(config).map(([name, entry]) => createCommand(name, entry));
  return new Map([runbook, ...commands].map((provider) => [provider.name, provider]));
}
