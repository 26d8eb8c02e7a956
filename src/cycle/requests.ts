/** Requests whose tasks have ended or ask for a person: the coordinator is told, by whichever node is first. */
import { addFilesMember } from '../act/addFile.ts';
import { nodeSignature } from '../act/node.ts';
import type { Node } from '../act/node.ts';
import type { Member } from '../act/publish.ts';
import { resultPath } from '../model/layout.ts';
import { renderMessage } from '../model/message.ts';
import type { Fleet } from '../model/snapshot.ts';
import { placeFolder, requestsAmong } from '../model/talk.ts';
import type { Conversation } from '../model/talk.ts';
import { bodyText } from '../observe/frontMatter.ts';
import { renderMessageFile } from '../observe/renderMessageFile.ts';
import { entryAt, fileAt, treeOf } from '../observe/tree.ts';
import { agentNamed } from '../orient/agents.ts';
import { roundText } from '../orient/requestText.ts';
import { orientRequests, taskTag } from '../orient/requests.ts';
import type { Request, RequestRound } from '../orient/requests.ts';
import type { Situation, TaskSituation } from '../orient/situation.ts';
import type { Loop } from './loop.ts';

export async function requestMembers({ shop, state }: Loop, fleet: Fleet, situation: Situation): Promise<readonly Member<unknown>[]> {
  const { conversations } = state.talk;
  if (state.requests?.situation !== situation || state.requests.conversations !== conversations) state.requests = { situation, conversations, due: dueRequests(fleet, situation, conversations) };
  const answerable = state.requests.due.filter(({ agent }) => Object.hasOwn(fleet.config.agents, agent) && shop.providers.get(agentNamed(fleet.config, agent).provider)?.conversational !== false);
  return Promise.all(answerable.map((request) => roundMember(shop.node, fleet, request, request.round as RequestRound)));
}

function dueRequests(fleet: Fleet, situation: Situation, conversations: readonly Conversation[]): readonly Request[] {
  if (conversations.every(({ messages }) => requestsAmong(messages).size === 0)) return [];
  return orientRequests(fleet, situation, conversations).filter(({ round }) => round !== null);
}

async function roundMember(node: Node, fleet: Fleet, request: Request, round: RequestRound): Promise<Member<unknown>> {
  const { message: { id: about }, agent } = request;
  const path = `${placeFolder({ inbox: agent })}/${round.id}.md`;
  const reports = new Map(await Promise.all(round.news.map(async (task): Promise<[string, string]> => [task.task.id, await reportOf(node, fleet, task)])));
  const content = renderMessageFile({
    id: round.id, from: `node:${node.identity.node}`, channel: null, to: [agent], mentions: [], kind: 'say', replyTo: about, chain: [], hops: 0, thread: about, spawn: null, session: null, answers: [],
    tasks: round.news.map(taskTag), at: node.clock.now().toISOString(), text: roundText(request, round, reports),
  });
  return addFilesMember(node, {
    key: `request:${round.id}`, by: nodeSignature(node),
    message: renderMessage({ subject: `@${agent}: how the request ${about} stands, round ${round.number}`, trailers: { Kind: 'message', Agent: agent, Node: node.identity.node, 'Msg-Id': round.id } }),
    // Another node may have told it meanwhile: one message is enough.
    files: async (main) => ((await entryAt(node.store, await treeOf(node.store, main), path)) === null ? new Map([[path, content]]) : null),
  });
}

/** What its agent reported, without the front matter; empty where there is no result, or none that can be read. */
async function reportOf({ store }: Node, { main }: Fleet, { task, result }: TaskSituation): Promise<string> {
  const file = result === undefined ? null : await fileAt(store, main.tree, resultPath(task.path));
  if (file === null) return '';
  try {
    return bodyText(file.bytes);
  } catch {
    return '';
  }
}
