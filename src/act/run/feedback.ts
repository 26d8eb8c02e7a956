/** What an earlier turn at a task has to say to the next one. */
import type { Chain } from '../../model/claim.ts';
import { REVIEW_PREFIX } from '../../model/layout.ts';
import { before } from '../../observe/chains.ts';
import type { ChainReader } from '../../observe/chains.ts';
import type { Store } from '../../ports/store.ts';

/**
 * The reason of the last release that says something: why the last attempt was not accepted, why a reviewer said no, or
 * what a person answered. Holds since then that ended without a word of the work (a node fell silent, or was stopped) hide
 * nothing. Null where there is nothing to learn from it.
 */
export async function feedbackFor(store: Store, reader: ChainReader, claim: Chain): Promise<string | null> {
  return feedbackAfter(store, reader, await before(store, reader, claim));
}

/** As `feedbackFor`, for a claim that would be made now: `last` is what the chain says so far. */
export async function feedbackAfter(store: Store, reader: ChainReader, last: Chain | undefined): Promise<string | null> {
  for (let at = last; at !== undefined; at = await before(store, reader, at)) {
    const { kind } = at.record;
    if (kind !== 'release' && kind !== 'claim' && kind !== 'renew') return null;
    const told = kind === 'release' ? lessonOf(at) : null;
    if (told !== null) return told;
  }
  return null;
}

function lessonOf({ record }: Chain): string | null {
  const { spent, feedback, reason, by, epoch, task, rejected } = record;
  if (reason === undefined) return null;
  if (typeof rejected === 'string') return `${by ?? 'The reviewer'} rejected the earlier work: ${reason}\n\nThat work is kept as commit ${rejected} (${REVIEW_PREFIX}${task}/${epoch}).`;
  if (feedback === true) return reason;
  return spent === true ? `An earlier attempt was not accepted: ${reason}` : null;
}
