/** One look at the person's checkout without a daemon: edits out, the hub's main in (PROTOCOL P11). */
import { agreedCheckout, bringUpToDate, checkoutMembers, lookAtCheckout } from '../act/checkout.ts';
import type { CheckoutMoved, CheckoutView, Ingested } from '../act/checkout.ts';
import { publish } from '../act/publish.ts';
import type { Oid } from '../model/ids.ts';
import { CambiumError } from '../errors.ts';
import { daemonRuns } from './session.ts';
import type { Session } from './session.ts';
import type { Checkout } from '../ports/checkout.ts';

export interface Synced {
  readonly view: CheckoutView;
  readonly published: Ingested['published'];
  readonly moved: CheckoutMoved;
}

/** `consent`: a person has said yes to many deletions. */
export async function syncCheckout(session: Session, consent: boolean): Promise<Synced> {
  const { clone, fleet } = session;
  const checkout = await clone.checkout();
  await checkout.recover();
  const { settleMs, halfSavedMs } = fleet.config.timings;
  // A file counts as saved when two looks apart see the same: the first look only remembers. One that is gone or empty
  // may be an editor's in the middle of saving, so it rests for longer.
  await checkout.edits(fleet.main.tree, true);
  await clone.clock.sleep(settleMs);
  if ((await checkout.edits(fleet.main.tree, true)).unsettled.length > 0) await clone.clock.sleep(halfSavedMs);
  return syncOnce(session, checkout, consent);
}

async function syncOnce({ clone, node, fleet }: Session, checkout: Checkout, consent: boolean): Promise<Synced> {
  const view = await lookAtCheckout(node, checkout, fleet.main.commit, { full: true, consent });
  const members = await checkoutMembers(node, clone.reader, checkout, view, fleet.main.commit);
  const ends = members.length === 0 ? new Map() : await publish<unknown>(node, members);
  const edits = ends.get('checkout:edits');
  const published = edits?.state === 'published' ? (edits.value as Ingested).published : [];
  const moved = await bringUpToDate(node, checkout, view, published, clone.mirror.known().main as Oid);
  return { view, published, moved };
}

/** After a command of the person's own: the checkout follows, unless a daemon does that, or it may not be touched now. */
export async function syncAfterward(session: Session): Promise<void> {
  if (await daemonRuns(session.clone)) return;
  const { clone, node } = session;
  const checkout = await clone.checkout();
  try {
    await checkout.recover();
    await bringUpToDate(node, checkout, await agreedCheckout(node, checkout), [], clone.mirror.known().main as Oid);
  } catch (error) {
    // The command itself is on the hub; the checkout is brought up by the next daemon or `cambium sync`.
    if (!(error instanceof CambiumError)) throw error;
    session.note(`the checkout was not brought up to date: ${error.message}`);
  }
}
