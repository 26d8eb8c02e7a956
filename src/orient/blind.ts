/** What agents that were asked blind may not read yet: each other's answers, until all are in. Pure. */
import { agentSpeaking } from '../model/talk.ts';
import type { Conversation, Message } from '../model/talk.ts';
import type { AgentId } from '../model/ids.ts';

interface Question {
  readonly agent: AgentId;
  readonly group: string;
  readonly id: string;
  readonly answered: boolean;
}

/** Ids of the messages that are kept from the agent: answers of the others in each group that it is asked in and that is not complete. */
export function withheldFrom(agent: AgentId, conversations: readonly Conversation[]): ReadonlySet<string> {
  const questions = questionsAmong(conversations);
  const own = new Set(questions.filter((question) => question.agent === agent).map(({ group }) => group));
  const open = new Set(questions.filter(({ group, answered }) => own.has(group) && !answered).map(({ group }) => group));
  const theirs = new Set(questions.filter((question) => question.agent !== agent && open.has(question.group)).map(({ id }) => id));
  if (theirs.size === 0) return new Set();
  const isAnswer = (message: Message): boolean => [message.replyTo, ...message.answers].some((id) => id !== null && theirs.has(id));
  return new Set(conversations.flatMap(({ messages }) => messages.filter(isAnswer).map(({ id }) => id)));
}

function questionsAmong(conversations: readonly Conversation[]): readonly Question[] {
  return conversations.flatMap(({ place, messages }) => {
    if (!('inbox' in place)) return [];
    const settled = new Set(messages.filter((message) => agentSpeaking(message) === place.inbox).flatMap(({ answers }) => answers));
    return messages.flatMap(({ id, group }) => (group === undefined ? [] : [{ agent: place.inbox, group, id, answered: settled.has(id) }]));
  });
}
