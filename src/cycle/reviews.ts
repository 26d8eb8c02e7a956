/** Work that waits for an agent's judgement: that agent is told, by whichever node is first. */
import { addFilesMember } from '../act/addFile.ts';
import { nodeSignature } from '../act/node.ts';
import type { Member } from '../act/publish.ts';
import { renderMessage } from '../model/message.ts';
import type { Fleet } from '../model/snapshot.ts';
import { placeFolder } from '../model/talk.ts';
import { renderMessageFile } from '../observe/renderMessageFile.ts';
import { entryAt, treeOf } from '../observe/tree.ts';
import { reviewRequests } from '../orient/reviewRequests.ts';
import type { ReviewRequest } from '../orient/reviewRequests.ts';
import type { Loop } from './loop.ts';

export function reviewRequestMembers({ shop, state }: Loop, fleet: Fleet): readonly Member<unknown>[] {
  return reviewRequests(fleet, state.talk.conversations).map((request) => requestMember(shop, request));
}

function requestMember({ node }: Loop['shop'], { task, reviewer, id, text }: ReviewRequest): Member<unknown> {
  const path = `${placeFolder({ inbox: reviewer })}/${id}.md`;
  const content = renderMessageFile({
    id, from: `node:${node.identity.node}`, channel: null, to: [reviewer], mentions: [], kind: 'say', replyTo: null, chain: [], hops: 0, thread: null, spawn: null, session: null, answers: [], at: node.clock.now().toISOString(), text,
  });
  return addFilesMember(node, {
    key: `ask-review:${task.id}`, by: nodeSignature(node),
    message: renderMessage({ subject: `${task.id}: ${reviewer} is asked to review`, trailers: { Kind: 'message', Task: task.id, Node: node.identity.node, 'Msg-Id': id } }),
    // Another node may have asked meanwhile: one message is enough.
    files: async (main) => ((await entryAt(node.store, await treeOf(node.store, main), path)) === null ? new Map([[path, content]]) : null),
  });
}
