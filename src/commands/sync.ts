/** `cambium sync`. */
import { syncCheckout } from '../workspace/sync.ts';
import { withSession } from '../workspace/session.ts';
import { plain } from '../workspace/plain.ts';
import type { Answer } from './output.ts';

export function syncCommand(options: { readonly yes?: boolean | undefined }): Promise<Answer> {
  return withSession({ needsHub: true }, async (session) => {
    const { view, published, moved } = await syncCheckout(session, options.yes === true);
    const lines = [
      `${published.length === 0 ? 'Nothing to publish.' : `${published.length} edit${published.length === 1 ? '' : 's'} published.`}${moved.moved ? ` Your checkout is at ${(session.clone.mirror.known().main ?? '').slice(0, 8)} now.` : ''}`,
      ...(view.blocked === null ? [] : [plain(`The checkout is left alone: ${view.blocked}.`)]),
      ...view.notes.map(plain), ...view.held.map(({ path, line, reason, mend }) => `${plain(path)}:${line} ${plain(reason)}\n  → ${plain(mend)}`),
      ...moved.skipped.map(({ path, reason }) => plain(`${path} is left as it is: ${reason}`)),
    ];
    return { data: { published: published.map(({ path }) => path), blocked: view.blocked, notes: view.notes, held: view.held, skipped: moved.skipped }, text: lines.join('\n'), exit: view.notes.length > 0 ? 1 : 0 };
  });
}
