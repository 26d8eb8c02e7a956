/** lock.json and the events of the fleet's hooks (docs/formats.md, docs/hooks.md): the schemas that editors and the authors of hooks read. */
import { z } from 'zod';
import { EVENT_NAMES } from '../model/event.ts';
import { isPathGlob } from './lockRecord.ts';
import { agentId, amount, id, key, known, oid, opId, text, whole } from './schemaTerms.ts';

const lease = {
  holder: key(z.string().regex(/^(?:agent|human):\S(?:.*\S)?$/, 'must be agent:<id> or human:<name>'), 'Who holds it: agent:<id> or human:<name>'),
  node: key(id, 'Node that it was taken on'),
  op: key(opId, 'Op-id of this renewal, never used twice: what others time'),
  why: key(text, 'What for, empty when nobody said'),
  ttl_s: key(amount, 'Seconds for which it is honoured without a renewal'),
  at: key(text, 'When it was taken or renewed, UTC, for people'),
  spawn: key(text.optional(), 'The spawn that took it, whose end gives it back'),
};

export const lockSchema = z.looseObject({
  schema: key(known('cambium.lock/1'), 'Format of this record'),
  name: key(id, 'Name of the lock, `paths` for the reservations'),
  kind: key(z.enum(['take', 'renew', 'release']), 'What this transition does'),
  epoch: key(whole(0), 'Fencing number: one more whenever it changes hands; of `paths` at each transition'),
  incarnation: key(text, 'Life of the node that wrote it'),
  ...lease,
  reservations: key(z.array(z.looseObject({ ...lease, globs: key(z.array(z.string().refine(isPathGlob, 'must be a glob over paths of the tree')), 'Globs of the reserved paths') })).optional(), 'All reservations that stand, in `paths` only'),
  by: key(text.optional(), 'Who ended somebody else\'s hold'),
  reason: key(text.optional(), 'Why they did: it had lapsed, or what a person said'),
}).meta({ title: 'Lock', description: 'lock.json on refs/cambium/locks/<name>: one transition of a named lock, or of the path reservations. Advisory.' });

const maybeText = text.nullable();

export const eventSchema = z.looseObject({
  schema: key(known('cambium.event/1'), 'Format of this event'),
  event: key(z.enum(EVENT_NAMES), 'What happened; the hook `on-<event>` is given it'),
  id: key(text, 'The same for the same cause, however often it is told'),
  at: key(text, 'When it happened, UTC'),
  node: key(id, 'Node on which it happened, and which runs the hook'),
  task: key(id.nullish(), 'Task that it is about; null or absent where it is about none'),
  title: key(maybeText.optional(), 'Title of the task, null for one that is not in the tree any more'),
  path: key(maybeText.optional(), 'Path of the instruction file, or of the message'),
  agent: key(agentId.nullish(), 'Agent that held the task or was run'),
  epoch: key(whole(0).optional(), 'Epoch of the claim'),
  attempt: key(whole(0).optional(), 'Number of the attempt'),
  result: key(oid.nullish(), 'Commit of main that holds work and result, in task-done, task-failed and task-cancelled'),
  reason: key(maybeText.optional(), 'Why, where the chain says so'),
  question: key(text.optional(), 'What a person is asked, in task-input'),
  reviewer: key(text.optional(), 'Who must approve, `human` or the id of an agent, in review'),
  branch: key(maybeText.optional(), 'Branch that shows the work under review'),
  commit: key(oid.nullish(), 'Commit under review'),
  message: key(text.optional(), 'Id of the message'),
  from: key(maybeText.optional(), 'Who says it: agent:<id>, human:<name> or node:<id>'),
  channel: key(id.nullish(), 'Channel it is said in'),
  to: key(z.array(agentId).optional(), 'Agents whose inbox it is for'),
  mentions: key(z.array(id).optional(), 'Whom it calls'),
  text: key(text.optional(), 'What is said or asked'),
  cause: key(z.enum(['message', 'task-input', 'review']).optional(), 'Why a person is needed, in human'),
  spawn: key(text.optional(), 'Id of the spawn, in spawn-end'),
  outcome: key(text.optional(), 'How the spawn ended'),
  failure: key(maybeText.optional(), 'Why the spawn failed'),
  cost_usd: key(amount.nullish(), 'What the spawn cost in US dollars, null when unknown'),
  silent: key(id.optional(), 'The node that fell silent, in node-silent'),
  tasks: key(z.array(z.looseObject({ task: key(id, 'Task'), epoch: key(whole(0), 'Epoch of the claim that ended') })).optional(), 'Claims of it that were taken over'),
}).meta({ title: 'Event', description: 'What an executable of hooks/ is given on standard input. Keys that an event has no use for are absent.' });
