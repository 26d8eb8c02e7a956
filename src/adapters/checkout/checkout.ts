/** The person's checkout over git (ports/checkout.ts): what each call does, and that they never overlap. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CambiumError } from '../../errors.ts';
import type { Checkout, CheckoutLook } from '../../ports/checkout.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Store } from '../../ports/store.ts';
import { advance } from './advance.ts';
import { DisplacedFiles } from './displaced.ts';
import { editFinder } from './edits.ts';
import { hasIntent, intentPath } from './intent.ts';
import { looker } from './look.ts';
import { personAt } from './person.ts';
import { recover } from './recover.ts';
import { settingsReader } from './settings.ts';
import type { Site } from './site.ts';

export interface CheckoutOptions {
  /** Absolute path of the work tree; null for a bare repository. */
  readonly root: string | null;
  /** Absolute paths: the git directory of this worktree (HEAD, index), and the one all worktrees share (refs, objects). */
  readonly gitDir: string;
  readonly commonDir: string;
  /** The fleet's branch, without `refs/heads/`. */
  readonly branch: string;
  readonly store: Store;
  /** How long an empty or vanished file must stay so before it counts as saved that way. */
  readonly halfSavedMs: number;
  /** How long any other changed file must stay the same between two looks. */
  readonly settleMs: number;
  readonly clock: Clock;
}

/** Opens nothing and starts nothing: every call looks for itself. Calls run one after the other. */
export function openCheckout({ root, ...rest }: CheckoutOptions): Checkout {
  const site: Site = { ...rest, root: root ?? '' };
  const readSettings = settingsReader(site);
  const see = looker(site);
  const look = root === null ? async (): Promise<CheckoutLook> => ({ state: 'absent' }) : (): Promise<CheckoutLook> => lookRecovered(site, see);
  const findEdits = editFinder(site, look, readSettings);
  const advancer = { site, look, readSettings, displaced: new DisplacedFiles(site) };
  const serially = queue();
  return {
    look: () => serially(look),
    person: () => serially(() => personAt(site)),
    edits: (synced, full) => serially(() => findEdits(synced, full)),
    advance: (commits) => serially(() => {
      if (root === null) throw new CambiumError('internal', 'A bare repository has no checkout to advance.');
      return advance(advancer, commits);
    }),
    recover: () => serially(async () => (root === null ? undefined : recover(site))),
  };
}

/** A pass that another process left unfinished is recovered as soon as that is allowed; until then nothing is touched. */
async function lookRecovered(site: Site, see: () => Promise<CheckoutLook>): Promise<CheckoutLook> {
  if (hasIntent(site) || existsSync(join(site.gitDir, 'index.lock'))) await recover(site);
  const seen = await see();
  if (seen.state !== 'ready' || !hasIntent(site)) return seen;
  return { state: 'busy', reason: `another process is changing the checkout, or was ended in the middle of it (${intentPath(site)})` };
}

function queue(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next.catch(() => undefined);
    return next;
  };
}
