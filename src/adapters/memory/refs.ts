/** Refs in memory, with git's rules for what may stand where. */
import { CambiumError } from '../../errors.ts';
import type { Oid } from '../../model/ids.ts';
import type { Store } from '../../ports/store.ts';
import { checkRefName, checkRefUpdates } from '../refNames.ts';

type Moves = Parameters<Store['updateRefs']>[0];

/** `typeOf` answers null for an object that is not there. */
export function memoryRefs(typeOf: (oid: Oid) => string | null): Pick<Store, 'readRef' | 'listRefs' | 'updateRefs'> {
  const refs = new Map<string, Oid>();

  function checkMove(moves: Moves, { ref, to }: Moves[number]): void {
    if (to === null) return;
    const type = typeOf(to);
    if (type === null) throw new CambiumError('object-missing', `Refs could not be moved: ${ref} would name ${to}, which is not here.`, { data: { ref, to } });
    if (ref.startsWith('refs/heads/') && type !== 'commit') throw new CambiumError('git-failed', `Refs could not be moved: the branch ${ref} would name a ${type}.`, { data: { ref, to } });
    const others = [...refs.keys(), ...moves.filter((move) => move.to !== null).map((move) => move.ref)];
    const clash = refs.has(ref) ? undefined : others.find((other) => other.startsWith(`${ref}/`) || ref.startsWith(`${other}/`));
    if (clash !== undefined) throw new CambiumError('git-failed', `Refs could not be moved: ${clash} and ${ref} cannot both be.`, { data: { ref, clash } });
  }

  return {
    async readRef(ref) {
      checkRefName(ref);
      return refs.get(ref) ?? null;
    },
    async listRefs(prefix) {
      return new Map([...refs].filter(([ref]) => ref.startsWith(prefix)).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    },
    async updateRefs(moves) {
      checkRefUpdates(moves);
      if (moves.some(({ ref, expect }) => expect !== undefined && (refs.get(ref) ?? null) !== expect)) return false;
      for (const move of moves) checkMove(moves, move);
      for (const { ref, to } of moves) {
        if (to === null) refs.delete(ref);
        else refs.set(ref, to);
      }
      return true;
    },
  };
}
