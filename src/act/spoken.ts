/**
 * Message files that an agent has added to its work. It speaks as itself and settles nothing, and what it says carries whom its
 * cause has woken: a file that said less would begin a chain of its own, and one in a person's name a thread with new budgets.
 */
import type { TreeEdit } from '../model/git.ts';
import type { Message } from '../model/talk.ts';
import { isMessagePath, parseMessage } from '../observe/messageFile.ts';
import { renderMessageFile } from '../observe/renderMessageFile.ts';
import type { PathChange } from '../observe/tree.ts';
import type { Node } from './node.ts';

/** In answer to what the agent works: a task begins a chain, so its is empty. */
export interface Speaker extends Pick<Message, 'chain' | 'hops' | 'thread' | 'spawn'> {
  readonly agent: string;
}

export interface Spoken {
  /** The files as they are to land, by path. */
  readonly edits: ReadonlyMap<string, TreeEdit>;
  /** By path: why a file may not land, one sentence for its agent. */
  readonly problems: ReadonlyMap<string, string>;
}

/** Of the changes, those of messages; all others are left alone. */
export async function spokenMessages({ store }: Pick<Node, 'store'>, { agent, chain, hops, thread, spawn }: Speaker, changes: readonly PathChange[]): Promise<Spoken> {
  const edits = new Map<string, TreeEdit>();
  const problems = new Map<string, string>();
  for (const { path, before, after } of changes) {
    if (!isMessagePath(path) || after === null) continue;
    const message = parseMessage({ path, bytes: await store.readBlob(after.oid) });
    if (before !== null) problems.set(path, 'what was said is not changed');
    else if ('reason' in message) problems.set(path, `line ${message.line}: ${message.reason} ${message.mend}`);
    else if (message.from !== `agent:${agent}`) problems.set(path, `it speaks as ${message.from}; an agent speaks as itself`);
    else {
      const said = renderMessageFile({ ...message, chain: [...new Set([...chain, agent])], hops: hops + 1, thread, spawn, answers: [] });
      edits.set(path, { mode: '100644', oid: await store.writeBlob(Buffer.from(said)) });
    }
  }
  return { edits, problems };
}
