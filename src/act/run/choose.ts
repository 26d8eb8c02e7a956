/** Which provider an agent is run with now: its own, or the next of its fallback that may be asked and can run here. */
import { CambiumError } from '../../errors.ts';
import type { Wait } from '../../model/limits.ts';
import type { Task } from '../../model/task.ts';
import { allOf, providerWait, waitText } from '../../orient/limits.ts';
import { modelFor, providersFor } from '../../orient/providers.ts';
import type { Workshop } from './workshop.ts';

export interface Chosen {
  readonly name: string;
  readonly version: string;
  /** What it is asked for (a tier, or a name of its own); null: its own choice. */
  readonly model: string | null;
}

export interface NoProvider {
  /** Why none of them may or can be asked, in words. */
  readonly unavailable: string;
  /** UTC ISO time at which the first of them may be asked again; null where nobody knows. */
  readonly until: string | null;
}

/** Throws `bad-config` when the fleet names one that nobody defined, and no other can do it. */
export async function chooseProviderFor(shop: Workshop, { agent, task }: { readonly agent: string; readonly task: Task | null }): Promise<Chosen | NoProvider> {
  const config = shop.config();
  const asker = shop.agent(agent) ?? { provider: config.defaults.provider };
  const names = providersFor(asker, task);
  const asked = task?.model ?? shop.agent(agent)?.model ?? null;
  const now = shop.node.clock.now().toISOString();
  const waits: Wait[] = [];
  let undefinedOne: string | null = null;
  for (const name of names) {
    const parked = providerWait(shop.limits(), name, now);
    if (parked !== null) {
      waits.push(parked);
      continue;
    }
    const provider = shop.providers.get(name);
    if (provider === undefined) {
      undefinedOne ??= name;
      continue;
    }
    const probed = await provider.probe();
    if ('version' in probed) return { name, version: probed.version, model: modelFor(config, name, names[0] ?? name, asked) };
    waits.push({ kind: 'away', reason: `${probed.unavailable} ${probed.hint}`, until: null, mend: probed.hint });
  }
  if (undefinedOne !== null && waits.length === 0) throw new CambiumError('bad-config', `There is no provider ${undefinedOne}.`, { hint: 'Define it under `providers:` in cambium.yaml, or name one that exists.' });
  const all = allOf(waits, waits.length);
  return { unavailable: all === null ? 'it has no provider' : waitText({ ...all, until: null }), until: all?.until ?? null };
}
