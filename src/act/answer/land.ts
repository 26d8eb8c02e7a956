/**
 * An answer lands: one commit with the message, the spawns' records and what may go with it, in one push with the end of the
 * wake. That each message is answered once rests on main: an answer that finds its messages settled there is dropped.
 */
import type { Answer } from '../../model/answer.ts';
import type { RefUpdate, TreeEdit } from '../../model/git.ts';
import type { Oid } from '../../model/ids.ts';
import { taskPath, wipRef } from '../../model/layout.ts';
import { renderMessage } from '../../model/message.ts';
import { spawnRecordPath } from '../../model/spawn.ts';
import type { SpawnSubject } from '../../model/spawn.ts';
import { mentionsIn, placeFolder, placeName, settledBy, wakeRef } from '../../model/talk.ts';
import type { Message, Place } from '../../model/talk.ts';
import { renderInstruction } from '../../observe/renderInstruction.ts';
import { renderMessageFile } from '../../observe/renderMessageFile.ts';
import type { TalkReader } from '../../observe/talk.ts';
import { entryAt, treeOf } from '../../observe/tree.ts';
import { commitOn } from '../commit.ts';
import { agentSignature } from '../node.ts';
import type { Node } from '../node.ts';
import { renderSpawn } from '../projections.ts';
import { drop } from '../publish.ts';
import type { Base, Member } from '../publish.ts';

export const answerMemberKey = (key: string): string => `answer:${key}`;

/** Its value: whether this very answer, with the records of its spawns, is on main. */
export function answerMember(node: Node, talk: TalkReader, answer: Answer): Member<boolean> {
  return {
    key: answerMemberKey(answer.key),
    async build(base) {
      const tip = base.view.refs.get(wakeRef(answer.key));
      const unwake = tip === answer.wake ? [{ ref: wakeRef(answer.key), expect: tip, to: null }] : [];
      const messages = await messagesAt(talk, base, answer);
      if (messages.some(({ id }) => id === answer.reply?.id)) {
        // Of a push that was applied by half, what is left.
        const refs = [...unwake, ...keptWork(base, answer)];
        return refs.length === 0 ? { already: true } : { main: base.main, refs, value: true };
      }
      if (tip !== undefined && tip !== answer.wake) return drop('fenced', 'another node answers');
      // A wake that is gone fences nobody: that nothing is answered twice is looked up on main.
      const settled = settledBy(answer.agent, messages);
      const open = answer.messages.filter((id) => !settled.has(id));
      if (open.length === 0) return unwake.length === 0 ? drop('nothing', 'it was answered already') : { main: base.main, refs: unwake, value: false };
      const main = await commitAnswer(node, base, { ...answer, messages: open });
      return { main, refs: [...unwake, ...keptWork(base, answer)], value: true };
    },
  };
}

async function messagesAt(talk: TalkReader, { main, view }: Base, { place }: Answer): Promise<readonly Message[]> {
  const folder = placeFolder(place);
  return (await talk.read({ ...view, main })).conversations.find((candidate) => placeFolder(candidate.place) === folder)?.messages ?? [];
}

function keptWork({ view }: Base, { work }: Answer): readonly RefUpdate[] {
  return work === null || view.refs.has(wipRef(work.task, 0)) ? [] : [{ ref: wipRef(work.task, 0), expect: null, to: work.commit }];
}

async function commitAnswer(node: Node, base: Base, answer: Answer): Promise<Oid> {
  const reply = answer.reply ?? { id: answer.spawn, ok: false, text: '', files: [] };
  const tree = await treeOf(node.store, base.main);
  const files = new Map<string, string | TreeEdit>();
  for (const message of repliesOf(node, answer)) files.set(message.path, renderMessageFile(message));
  for (const spawn of answer.spawns) files.set(spawnRecordPath(spawn), renderSpawn(node, { ...subjectOf(answer), ...answer.cause }, spawn));
  // What somebody else has changed since stays as it is: a message never waits for a merge.
  for (const { path, before, blob } of reply.files) if (((await entryAt(node.store, tree, path))?.oid ?? null) === before) files.set(path, { mode: '100644', oid: blob });
  if (answer.work !== null) files.set(taskPath(answer.work.task), taskFor(answer));
  const message = renderMessage({
    subject: `${placeName(answer.place)}: message by ${answer.agent}`,
    trailers: { Kind: 'message', Agent: answer.agent, Node: node.identity.node, Spawn: answer.spawn, 'Msg-Id': reply.id },
  });
  return commitOn(node, base.main, files, { author: agentSignature(node, answer.agent), message });
}

export function subjectOf({ agent, place, messages }: Answer): SpawnSubject {
  return { agent, task: null, epoch: 0, attempt: 0, channel: 'channel' in place ? place.channel : null, messages };
}

/** In a channel one message; in an inbox the receipt, and the answer in the inbox of each agent that had asked. */
function repliesOf(node: Node, answer: Answer): readonly Message[] {
  const { agent, place, reply } = answer;
  const text = reply?.text ?? '';
  const said = (id: string, where: Place, to: readonly string[], answers: readonly string[]): Message => ({
    path: `${placeFolder(where)}/${id}.md`, id, from: `agent:${agent}`, channel: 'channel' in where ? where.channel : null, to, mentions: mentionsIn(text),
    kind: reply?.ok === true ? 'say' : 'system', replyTo: answer.messages.at(-1) ?? null, chain: answer.chain, hops: answer.hops + 1, thread: answer.thread, spawn: answer.spawn, session: null, answers,
    at: node.clock.now().toISOString(), text,
  });
  const own = said(reply?.id ?? answer.spawn, place, 'channel' in place ? [] : [agent], answer.messages);
  if ('channel' in place) return [own];
  return [own, ...answer.askers.map((asker) => said(own.id, { inbox: asker }, [asker], []))];
}

function taskFor({ agent, place, work, spawn }: Answer): string {
  const paths = work?.paths ?? [];
  const shown = paths.slice(0, 20).map((path) => `- ${path}`);
  const body = [
    `While it answered in ${placeName(place)}, ${agent} changed ${paths.length} file${paths.length === 1 ? '' : 's'} (spawn ${spawn}):`, '', ...shown, ...(paths.length > shown.length ? [`- and ${paths.length - shown.length} more`] : []), '',
    `The changes are kept as commit ${work?.commit} (${wipRef(work?.task ?? '', 0)}). Bring them in with \`git cherry-pick --no-commit ${work?.commit}\` (where the commit is not known: \`git fetch\` that ref from the hub first), look at each, finish what is missing, and take out what does not belong.`, '',
  ].join('\n');
  return renderInstruction({ title: `Bring in what ${agent} changed in ${placeName(place)}`, body, fields: { assigned_to: agent } });
}
