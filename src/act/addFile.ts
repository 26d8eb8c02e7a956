/** One new file of the fleet's own on main: a message, a roster entry. */
import type { Signature } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import { commitOn } from './commit.ts';
import type { Node } from './node.ts';
import type { Member } from './publish.ts';

export interface FileAddition {
  readonly key: string;
  readonly by: Signature;
  readonly message: string;
  /** The files as they shall stand on that main; null where nothing is left to be written. */
  files(main: Oid): Promise<ReadonlyMap<string, string> | null>;
}

/** Resolves to the commit, or to null where main said so already. */
export function addFilesMember(node: Node, { key, by, message, files }: FileAddition): Member<Oid | null> {
  const candidates: Oid[] = [];
  return {
    key,
    async build(base) {
      for (const candidate of candidates) if (await node.store.isAncestor(candidate, base.main)) return { already: candidate };
      const wanted = await files(base.main);
      if (wanted === null) return { already: null };
      const main = await commitOn(node, base.main, wanted, { author: by, message });
      candidates.push(main);
      return { main, refs: [], value: main };
    },
  };
}
