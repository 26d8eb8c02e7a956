/** `cambium task add|cancel|retry`: what a person or a coordinator does to the queue. Each is on the hub before it returns. */
import { addMember, cancelMember, closingKey, reopenMember } from '../act/close.ts';
import type { Closed } from '../act/close.ts';
import { publish } from '../act/publish.ts';
import type { Published } from '../act/publish.ts';
import { readInput } from '../adapters/system/files.ts';
import { CambiumError } from '../errors.ts';
import { generateTaskId, isId, proposeId } from '../model/ids.ts';
import type { Oid } from '../model/ids.ts';
import { taskPath } from '../model/layout.ts';
import { parseTask } from '../observe/taskFile.ts';
import { orientDependencies } from '../orient/dependencies.ts';
import { renderInstruction } from '../observe/renderInstruction.ts';
import { syncAfterward } from './sync.ts';
import type { Answer } from './output.ts';
import { actor, unknownTask, withSession } from '../workspace/session.ts';
import type { Session } from '../workspace/session.ts';
import { published } from './taskClaim.ts';

export interface AddOptions {
  readonly id?: string | undefined;
  readonly body?: string | undefined;
  readonly depends?: string | undefined;
  readonly assign?: string | undefined;
  readonly priority?: string | undefined;
  readonly role?: string | undefined;
  readonly provider?: string | undefined;
  readonly verify?: string | undefined;
  readonly context?: string | undefined;
  readonly requires?: string | undefined;
  readonly criteria?: readonly string[] | undefined;
}

export function addCommand(title: string, options: AddOptions): Promise<Answer> {
  return withSession({ needsHub: true }, async (session) => {
    const { clone, node } = session;
    const id = options.id ?? generateTaskId(title, clone.clock.randomBytes(4));
    if (!isId(id)) throw new CambiumError('usage', `${id} is no good task id.`, { hint: `Use lower-case letters, digits, - and _: ${proposeId(id)}` });
    const path = taskPath(id);
    const content = renderInstruction({ title, body: options.body === undefined ? '' : await readInput(options.body), ...frontMatter(options) });
    checkAddition(session, id, path, content);
    const by = await actor(session);
    const ends = await publish(node, [addMember(node, { task: id, path, content, by })], { trustKnown: true });
    const commit = published(id, ends.get(id) as Published<Oid>);
    await syncAfterward(session);
    return { data: { task: id, path, commit }, text: `${id} is on the hub: ${path}` };
  });
}

function frontMatter(options: AddOptions): Record<string, unknown> {
  const list = (text: string | undefined): string[] | undefined => text?.split(',').map((part) => part.trim()).filter((part) => part !== '');
  const priority = options.priority === undefined ? undefined : Number(options.priority);
  if (priority !== undefined && !(Number.isInteger(priority) && priority >= 0 && priority <= 4)) {
    throw new CambiumError('usage', `The priority ${options.priority} is not a whole number from 0 (most urgent) to 4.`);
  }
  const fields = {
    priority, assigned_to: options.assign, role: options.role, requires: list(options.requires), depends_on: list(options.depends), context_files: list(options.context),
    provider: options.provider, verify: options.verify, acceptance_criteria: options.criteria?.length === 0 ? undefined : options.criteria,
  };
  return { fields: Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) };
}

/** What would only be quarantined, or would close a circle of dependencies, is refused before it is published. */
function checkAddition({ clone, fleet }: Session, id: string, path: string, content: string): void {
  const bytes = Buffer.from(content);
  const parsed = parseTask({ path, blob: clone.store.hashBlob(bytes), bytes });
  if ('reason' in parsed) throw new CambiumError('bad-file', `${path}:${parsed.line}: ${parsed.reason}`, { hint: parsed.mend });
  const block = orientDependencies(new Map([...fleet.tasks, [id, parsed]]), fleet.results).get(id);
  if (block !== undefined && block !== 'met' && block.kind === 'cycle') throw new CambiumError('refused', `${id} is not added: ${block.reason}`, { hint: block.mend });
}

export interface CloseOptions {
  readonly reason?: string | undefined;
  readonly done?: boolean | undefined;
}

export function cancelCommand(id: string, options: CloseOptions): Promise<Answer> {
  return closeCommand(id, options, 'cancel', 'cancelled', (session, closing) => cancelMember(session.node, session.clone.reader, closing));
}

export function retryCommand(id: string, options: CloseOptions): Promise<Answer> {
  return closeCommand(id, options, 'reopen', 'ready again', (session, closing) => reopenMember(session.node, session.clone.reader, { ...closing, evenDone: options.done === true }));
}

function closeCommand(id: string, options: CloseOptions, kind: 'cancel' | 'reopen', told: string, memberOf: (session: Session, closing: Parameters<typeof cancelMember>[2]) => ReturnType<typeof cancelMember>): Promise<Answer> {
  return withSession({ needsHub: true }, async (session) => {
    const task = session.fleet.tasks.get(id);
    if (task === undefined) throw unknownTask(session, id);
    const by = await actor(session);
    const ends = await publish(session.node, [memberOf(session, { task: id, path: task.path, by, reason: options.reason ?? 'asked for by hand' })]);
    const end = ends.get(closingKey(kind, id)) as Published<Closed>;
    if (end.state === 'dropped' && end.drop.code === 'forbidden') throw new CambiumError('refused', `${id}: ${end.drop.detail}.`, { hint: `To do it again all the same: \`cambium task retry ${id} --done\`.` });
    const closed = published(id, end);
    await syncAfterward(session);
    return { data: { task: id, commit: closed.main, epoch: closed.chain.record.epoch }, text: `${id} is ${told}.` };
  });
}
