/** Why a task is not running, and what would make it run: the fleet, this node and its checkout are asked. */
import { lookAtCheckout } from '../act/checkout.ts';
import { hasUnfinishedPass } from '../adapters/checkout/unfinished.ts';
import { CambiumError } from '../errors.ts';
import type { ToldDecision } from '../model/decision.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { resultPath, taskStem } from '../model/layout.ts';
import { archivedNames, isArchived } from '../observe/archive.ts';
import { parseResult } from '../observe/resultFile.ts';
import { fileAt } from '../observe/tree.ts';
import { agentsOf } from '../orient/agents.ts';
import type { LocalFacts } from '../orient/candidates.ts';
import { explainEnded, explainTask, nearIds } from '../orient/explain.ts';
import type { Explanation } from '../orient/explanation.ts';
import { orient } from '../orient/situation.ts';
import type { Clone } from './clone.ts';
import { readDecisions } from './log.ts';
import { daemonRuns } from './session.ts';
import type { Session } from './session.ts';

export interface ExplainedTask extends Explanation {
  readonly title: string | null;
  /** The last decisions about it, newest first. */
  readonly decisions: readonly ToldDecision[];
}

const DECISIONS_SHOWN = 5;

/** Throws `unknown-task`, with the ids that may have been meant. */
export async function explain(session: Session, id: TaskId): Promise<ExplainedTask> {
  const { clone, fleet } = session;
  const [decisions, local] = [await readDecisions(session, { task: id, limit: DECISIONS_SHOWN }), await localFacts(session)];
  const situation = orient(fleet, clone.clock.now().toISOString());
  const task = fleet.tasks.get(id);
  const report = task === undefined ? null : await reportLine(clone, fleet.main.tree, resultPath(task.path));
  const found = explainTask({ fleet, situation, local, report, decided: decisions }, id) ?? (await archived(session, id)) ?? (await unpublished(session, id, local.daemon));
  if (found === null) throw await unknown(session, id);
  return { ...found, title: task?.title ?? null, decisions };
}

interface DaemonRecord {
  readonly node?: string;
  readonly agents?: readonly string[];
}

async function localFacts({ clone, node, fleet }: Session): Promise<LocalFacts> {
  const daemon = await daemonRuns(clone);
  const record = daemon ? (((await clone.local.read('daemon')) as DaemonRecord | null | undefined) ?? {}) : {};
  const name = record.node ?? node.identity.node;
  const beats = await Promise.all([...fleet.nodes].flatMap(([other, { heartbeat }]) => (heartbeat === null ? [] : [secondsOf(clone, other, heartbeat.oid)])));
  return { node: name, daemon, agents: agentsOf(fleet.config, name, record.agents ?? null), beats: new Map(beats), nowS: clone.clock.now().getTime() / 1000 };
}

async function secondsOf({ store }: Clone, node: string, heartbeat: Oid): Promise<readonly [string, number]> {
  return [node, (await store.readCommit(heartbeat)).committer.seconds];
}

/** The first line below the front matter that is meant for people: no heading, no code. */
async function reportLine({ store }: Clone, tree: Oid, path: string): Promise<string | null> {
  const file = await fileAt(store, tree, path);
  if (file === null) return null;
  const [, body = ''] = Buffer.from(file.bytes).toString('utf8').split(/^---$/m).slice(1);
  return body.replace(/^```[^]*?^```$/gm, '').split('\n').map((line) => line.trim()).find((line) => line !== '' && !/^(?:#|```)/.test(line)) ?? null;
}

async function archived({ clone, fleet }: Session, id: TaskId): Promise<Explanation | null> {
  const files = (await archivedNames(clone.store, fleet.main.tree)).get(id);
  if (files === undefined || !isArchived(files)) return null;
  const file = files.result === null ? null : await fileAt(clone.store, fleet.main.tree, files.result);
  const result = file === null || files.result === null ? null : parseResult({ path: files.result, bytes: file.bytes });
  const where = `its files are in the archive: ${files.result ?? files.instruction ?? ''}`;
  if (result === null || 'reason' in result) return { task: id, state: 'archived', why: ['it has ended', where], mend: [`To do it again: \`cambium task reopen ${id} --reason "…"\`.`], agents: [] };
  const report = await reportLine(clone, fleet.main.tree, files.result ?? '');
  const { why } = explainEnded(result, report, files.instruction ?? '', undefined);
  return { task: id, state: 'archived', why: [...why, where], mend: [`To do it again: \`cambium task reopen ${id} --reason "…"\`.`], agents: [] };
}

/** A file that was saved and is not on the hub: the commonest reason of all that nothing happens. */
async function unpublished({ clone, node, fleet }: Session, id: TaskId, daemon: boolean): Promise<Explanation | null> {
  if (hasUnfinishedPass(clone)) return null;
  const watching = { ...node, store: { ...node.store, updateRefs: async () => true } };
  const checkout = await clone.checkout();
  const look = (): ReturnType<typeof lookAtCheckout> => lookAtCheckout(watching, checkout, fleet.main.commit, { full: true, consent: true });
  await look();
  // A file counts as saved when two looks apart see the same.
  await clone.clock.sleep(fleet.config.timings.settleMs);
  const view = await look();
  const held = view.held.find(({ path }) => taskStem(path) === id);
  if (held !== undefined) return { task: id, state: 'unpublished', why: [`${held.path}:${held.line} ${held.reason}`, 'it is in your checkout, and is not published as it is'], mend: [held.mend], agents: [] };
  const path = [...view.edits.map((edit) => edit.path), ...view.unsettled].find((edited) => taskStem(edited) === id && edited.endsWith('.md'));
  if (path === undefined) return null;
  const mend = daemon ? 'The daemon publishes it as soon as the file no longer changes.' : 'Publish it with `cambium sync`, or run `cambium up`.';
  return { task: id, state: 'unpublished', why: [`${path} is in your checkout and not on the hub yet${view.blocked === null ? '' : `: ${view.blocked}`}`], mend: [mend], agents: [] };
}

async function unknown({ clone, fleet }: Session, id: TaskId): Promise<CambiumError> {
  const near = nearIds([...fleet.tasks.keys(), ...(await archivedNames(clone.store, fleet.main.tree)).tasks()], id);
  return new CambiumError('unknown-task', `There is no task ${id}.`, { hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'See `cambium task list`.', data: { near } });
}
