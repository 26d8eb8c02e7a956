/** An edit of an instruction file that its author asks for from the command line, made on the newest main. */
import type { Signature } from '../model/git.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { resultPath } from '../model/layout.ts';
import { renderMessage } from '../model/message.ts';
import { entryAt, fileAt, treeOf } from '../observe/tree.ts';
import { commitOn } from './commit.ts';
import type { Node } from './node.ts';
import { drop } from './publish.ts';
import type { Member } from './publish.ts';

export interface Edit {
  readonly task: TaskId;
  readonly path: string;
  readonly by: Signature;
  /** The new text; an error of the door is thrown, so that nothing bad is published. */
  change(text: string): string;
}

export const editKey = (task: TaskId): string => `edit:${task}`;

/** Resolves to the commit on main, or to null where the text is that already. An ended task is not edited: its result speaks of the old text. */
export function editMember(node: Node, { task, path, by, change }: Edit): Member<Oid | null> {
  const candidates: Oid[] = [];
  return {
    key: editKey(task),
    async build(base) {
      for (const candidate of candidates) if (await node.store.isAncestor(candidate, base.main)) return { already: candidate };
      const tree = await treeOf(node.store, base.main);
      const file = await fileAt(node.store, tree, path);
      if (file === null) return drop('unknown-task', `${path} is not there any more`);
      if ((await entryAt(node.store, tree, resultPath(path))) !== null) return drop('nothing', 'it has ended');
      const before = Buffer.from(file.bytes).toString('utf8');
      const after = change(before);
      if (after === before) return { already: null };
      const main = await commitOn(node, base.main, new Map([[path, after]]), { author: by, message: renderMessage({ subject: `${task}: edit`, trailers: { Kind: 'edit', Task: task } }) });
      candidates.push(main);
      return { main, refs: [], value: main };
    },
  };
}
