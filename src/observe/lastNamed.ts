/** Which main commit a chain names last: that of its newest done, failed, cancel or reopen. */
import type { Chain } from '../model/claim.ts';
import type { Oid } from '../model/ids.ts';
import type { Store } from '../ports/store.ts';
import { before } from './chains.ts';
import type { ChainReader } from './chains.ts';

export interface NamedLanding {
  readonly commit: Oid;
  readonly reopened: boolean;
}

export async function lastNamed(store: Store, reader: ChainReader, chain: Chain | undefined): Promise<NamedLanding | null> {
  for (let at = chain; at !== undefined; at = await before(store, reader, at)) {
    const { result, kind } = at.record;
    if (result !== undefined && ['done', 'failed', 'cancel', 'reopen'].includes(kind)) return { commit: result, reopened: kind === 'reopen' };
  }
  return null;
}
