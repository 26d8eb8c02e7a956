/** What hooks need of cambium.yaml. Reading that file takes longer than all the rest of a hook, so what was read is kept by its object id. */
import type { FoundObject } from '../../adapters/git/lookUp.ts';
import type { HookState } from '../../adapters/system/hookState.ts';
import type { FleetConfig } from '../../model/config.ts';

export interface HookRules extends Pick<FleetConfig, 'roles' | 'protectedPaths'> {
  readonly roleOf: Readonly<Record<string, string>>;
  /** Agents whose stop hands over the next task. */
  readonly drains: readonly string[];
  readonly fetchMs: number;
}

interface Kept {
  /** Of cambium.yaml, and the shape of what is kept. */
  readonly key: string;
  readonly rules: HookRules;
}

const SHAPE = 2;
const NAME = 'rules.json';

/** By the settings on main; where those cannot be read, by the last good ones, as the fleet does. */
export async function hookRules(state: HookState, file: FoundObject | null): Promise<HookRules> {
  const key = `${SHAPE} ${file?.oid ?? 'none'}`;
  const kept = readKept(state);
  if (kept?.key === key) return kept.rules;
  const { DEFAULT_CONFIG, parseFleetConfig } = await import('../../observe/fleetConfig.ts');
  const verdict = parseFleetConfig(file?.bytes ?? null);
  if (!('config' in verdict)) return kept?.rules ?? rulesOf(DEFAULT_CONFIG);
  const rules = rulesOf(verdict.config);
  state.write(NAME, JSON.stringify({ key, rules } satisfies Kept));
  return rules;
}

function rulesOf({ roles, protectedPaths, agents, timings }: FleetConfig): HookRules {
  return { roles, protectedPaths, roleOf: Object.fromEntries(Object.entries(agents).map(([id, { role }]) => [id, role])), drains: Object.entries(agents).filter(([, { stop }]) => stop === 'drain').map(([id]) => id), fetchMs: timings.fetchMs };
}

function readKept(state: HookState): Kept | null {
  try {
    return JSON.parse(state.read(NAME) ?? 'null') as Kept | null;
  } catch {
    return null;
  }
}
