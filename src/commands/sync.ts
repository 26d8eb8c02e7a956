/** `cambium sync`: one look at the person's checkout without a daemon: edits out, the hub's main in (PROTOCOL P11). */
import { agreedCheckout, bringUpToDate, checkoutMembers, lookAtCheckout } from '../act/checkout.ts';
import type { CheckoutMoved, CheckoutView, Ingested } from '../act/checkout.ts';
import { publish } from '../act/publish.ts';
import type { Oid } from '../model/ids.ts';
import { CambiumError } from '../errors.ts';
import { daemonRuns, withSession } from '../workspace/session.ts';
import type { Session } from '../workspace/session.ts';
import type { Answer } from './output.ts';
import type { Checkout } from '../ports/checkout.ts';

export function syncCommand(options: { readonly yes?: boolean | undefined }): Promise<Answer> {
  return withSession({ needsHub: true }, async (session) => {
    const { clone } = session;
    const checkout = await clone.checkout();
    await checkout.recover();
    // A file counts as saved when two looks apart see the same: the first look only remembers.
    await checkout.edits(await session.clone.store.readCommit(session.fleet.main.commit).then(({ tree }) => tree), true);
    await session.clone.clock.sleep(session.fleet.config.timings.settleMs);
    const { view, published, moved } = await syncOnce(session, checkout, options.yes === true);
    const lines = [
      `${published.length === 0 ? 'Nothing to publish.' : `${published.length} edit${published.length === 1 ? '' : 's'} published.`}${moved.moved ? ` Your checkout is at ${(clone.mirror.known().main ?? '').slice(0, 8)} now.` : ''}`,
      ...(view.blocked === null ? [] : [`The checkout is left alone: ${view.blocked}.`]),
      ...view.notes, ...view.held.map(({ path, line, reason, mend }) => `${path}:${line} ${reason}\n  → ${mend}`),
      ...moved.skipped.map(({ path, reason }) => `${path} is left as it is: ${reason}`),
    ];
    return { data: { published: published.map(({ path }) => path), blocked: view.blocked, notes: view.notes, held: view.held, skipped: moved.skipped }, text: lines.join('\n'), exit: view.notes.length > 0 ? 1 : 0 };
  });
}

async function syncOnce({ clone, node, fleet }: Session, checkout: Checkout, consent: boolean): Promise<{ readonly view: CheckoutView; readonly published: Ingested['published']; readonly moved: CheckoutMoved }> {
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
    process.stderr.write(`cambium: the checkout was not brought up to date: ${error.message}\n`);
  }
}
