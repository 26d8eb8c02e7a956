/** Who holds a task, since when, how its lease is kept alive, and what becomes of it if it is not. Pure. */
import { isPinned } from '../model/claim.ts';
import type { Chain } from '../model/claim.ts';
import { takeoverAfterMs } from '../model/lease.ts';
import type { ExplainFacts, Words } from './explanation.ts';
import type { TaskSituation } from './situation.ts';
import { agoOf, span } from './spans.ts';

export function explainHeld(facts: ExplainFacts, { task, chain }: TaskSituation): Words {
  const { record } = chain as Chain;
  const { agent, node, epoch, attempt, ttl_s: ttlS, claimed_at: claimedAt, reason } = record;
  const ago = agoOf(claimedAt, facts.local.nowS);
  const holder = `${agent ?? '?'} on ${node ?? '?'}`;
  const what = isPinned(chain) ? `${node ?? '?'} lands the approved work of ${agent ?? '?'}` : `${holder} works on it`;
  const lease = leaseOf(facts, chain as Chain);
  const cancel = `To end it: \`cambium task cancel ${task.id} --reason "…"\`.`;
  const takeover = `A daemon takes it over after ${span(takeoverAfterMs(ttlS * 1000, facts.fleet.config.timings.fetchMs) / 1000)} of silence${facts.local.daemon ? '' : '; none runs in this clone (`cambium up`)'}.`;
  return {
    why: [`${what}: epoch ${epoch}, attempt ${attempt}, claimed ${ago === null ? `at ${claimedAt}` : `${ago} ago`}`, lease.text, ...(record.kind === 'claim' && reason !== undefined ? [`claimed because: ${reason}`] : [])],
    mend: lease.isQuiet ? [takeover, cancel] : ['Nothing is to be done: it is running.', cancel],
  };
}

/** How the hold was last renewed. Judged by wall clocks, so it is told and nothing else: a takeover times silence itself (PROTOCOL P4.3). */
function leaseOf({ fleet, local }: ExplainFacts, { tip, record }: Chain): { readonly text: string; readonly isQuiet: boolean } {
  const lease = `its lease is ${record.ttl_s} s`;
  const beat = fleet.nodes.get(record.node ?? '')?.heartbeat ?? null;
  const beatS = local.beats.get(record.node ?? '');
  const heard = beatS === undefined ? '' : `, ${span(local.nowS - beatS)} ago`;
  if (beat !== null && beat.record.incarnation === record.incarnation && beat.record.claims.some(({ claim }) => claim === tip)) {
    const isQuiet = beatS !== undefined && local.nowS - beatS > record.ttl_s;
    return { text: `${lease}, last renewed by heartbeat ${beat.record.seq} of ${record.node}${heard}${isQuiet ? ': longer ago than it lasts' : ''}`, isQuiet };
  }
  const sinceS = local.nowS - Date.parse(record.claimed_at) / 1000;
  const byHand = record.kind === 'renew' ? 'renewed by hand' : `no heartbeat of ${record.node ?? 'its node'} names it`;
  return { text: `${lease}; ${byHand}: a claim made by hand is kept alive with \`cambium task renew ${record.task} --agent ${record.agent ?? '?'} --epoch ${record.epoch}\``, isQuiet: record.kind !== 'renew' && sinceS > record.ttl_s };
}
