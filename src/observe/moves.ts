/** Tasks that a person files into another folder: a name gone here and new there is one deed, no cancel and no used id. */
import type { Oid } from '../model/ids.ts';
import { taskFileKind, taskStem } from '../model/layout.ts';
import type { CheckoutEdit } from '../ports/checkout.ts';
import type { Store } from '../ports/store.ts';
import { entryAt } from './tree.ts';

export interface Move {
  readonly from: CheckoutEdit;
  readonly to: CheckoutEdit;
}

/** An instruction may be edited on the way; what the fleet writes moves as it is, or it is no move. */
export async function movesAmong(store: Store, mainTree: Oid, edits: readonly CheckoutEdit[]): Promise<readonly Move[]> {
  const named = new Map<string, CheckoutEdit[]>();
  for (const edit of edits) {
    const kind = taskFileKind(edit.path);
    if (kind !== 'none') named.set(`${kind} ${taskStem(edit.path)}`, [...(named.get(`${kind} ${taskStem(edit.path)}`) ?? []), edit]);
  }
  const moves: Move[] = [];
  for (const pair of named.values()) {
    const from = pair.find(({ oid }) => oid === null);
    const to = pair.find(({ oid }) => oid !== null);
    if (pair.length !== 2 || from === undefined || to === undefined) continue;
    const [before, there] = await Promise.all([entryAt(store, mainTree, from.path), entryAt(store, mainTree, to.path)]);
    if (before !== null && there === null && (taskFileKind(to.path) === 'instruction' || before.oid === to.oid)) moves.push({ from, to });
  }
  return moves;
}
