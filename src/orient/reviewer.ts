/** Which agent judges a piece of finished work; nobody judges his own, and no model family its own where that is asked. Pure. */
import { familyOf } from '../model/config.ts';
import type { FleetConfig } from '../model/config.ts';
import type { ClaimRecord } from '../model/claim.ts';
import type { AgentId } from '../model/ids.ts';
import { reviewWish } from '../model/reviewer.ts';

export type Reviewer = { readonly agent: AgentId } | { readonly person: string };

/** `record`: the review of the work, which says who did it, and with which provider. The same on every node. */
export function reviewerOf(config: FleetConfig, review: string | undefined, record: ClaimRecord): Reviewer {
  const wish = reviewWish(review ?? 'human');
  if (wish.kind === 'person') return { person: 'it waits for a person' };
  if (wish.kind === 'agent') return wish.agent === record.agent ? { person: `${wish.agent} did the work itself` } : { agent: wish.agent };
  const candidates = Object.entries(config.agents).filter(([id]) => id !== record.agent).toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (wish.kind === 'role') {
    const found = candidates.find(([, { role }]) => role === wish.role);
    return found === undefined ? { person: `no other agent has the role ${wish.role}` } : { agent: found[0] };
  }
  const own = familyOf(config, String(record['provider'] ?? config.agents[record.agent ?? '']?.provider ?? config.defaults.provider));
  const others = candidates.filter(([, { provider }]) => provider !== 'runbook' && familyOf(config, provider) !== own);
  const [chosen] = [...others.filter(([, { role }]) => role === 'reviewer'), ...others];
  return chosen === undefined ? { person: `no agent here is of another model family than ${own}` } : { agent: chosen[0] };
}
