/** What cambium.yaml says of a provider, as its adapter needs it. */
import { TIERS } from '../../model/config.ts';
import type { ProviderConfig } from '../../model/config.ts';
import { namedVariable } from '../system/environment.ts';

/** `${NAME}` stands for a variable of this machine's environment; one that is not set leaves its key out. */
export function environmentOf({ env }: Pick<ProviderConfig, 'env'>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).flatMap(([name, value]) => {
    const reference = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(value)?.[1];
    const found = reference === undefined ? value : namedVariable(reference);
    return found === undefined ? [] : [[name, found]];
  }));
}

/**
 * The name in the provider's own words: `models` of cambium.yaml first, else `own`, the provider's tiers. Null: its own choice,
 * as for a tier that nobody gave a model for. A service at `base_url` whose models are named knows these alone: where it is
 * asked for none, or for another tier, it is asked for `daily`, or for the only one that there is.
 */
export function modelNamed({ models, baseUrl = null }: Pick<ProviderConfig, 'models'> & Partial<Pick<ProviderConfig, 'baseUrl'>>, asked: string | null, own: Readonly<Record<string, string>> = {}): string | null {
  if (asked !== null && Object.hasOwn(models, asked)) return models[asked] ?? null;
  if (asked !== null && !isTier(asked)) return asked;
  if (baseUrl !== null && Object.keys(models).length > 0) return models['daily'] ?? soleOf(Object.values(models));
  return asked === null ? null : (own[asked] ?? null);
}

const isTier = (asked: string): boolean => (TIERS as readonly string[]).includes(asked);

function soleOf(names: readonly string[]): string | null {
  const [name, ...others] = new Set(names);
  return name === undefined || others.length > 0 ? null : name;
}
