/** working: how an answering agent ended, and what of it may land. */
import { ANSWER_TRIES, answerWorktree } from '../../model/answer.ts';
import type { Answer, KeptChanges, Reply } from '../../model/answer.ts';
import { generateTaskId } from '../../model/ids.ts';
import type { Oid } from '../../model/ids.ts';
import { taskFileKind, taskStem } from '../../model/layout.ts';
import { renderMessage } from '../../model/message.ts';
import type { FailureKind, SpawnRecord } from '../../model/spawn.ts';
import { placeName } from '../../model/talk.ts';
import { diffTrees, treeOf } from '../../observe/tree.ts';
import type { PathChange } from '../../observe/tree.ts';
import { isProvidersFault } from '../../orient/providers.ts';
import { scopeBreaches } from '../../orient/scope.ts';
import type { SpawnEnd, SpawnReport } from '../../ports/provider.ts';
import type { SpawnStatus } from '../../ports/process.ts';
import { delegatedTasks } from '../delegated.ts';
import { spokenMessages } from '../spoken.ts';
import { agentSignature, nodeSignature } from '../node.ts';
import { chooseProviderFor } from '../run/choose.ts';
import type { Workshop } from '../run/workshop.ts';
import { answerRequest, saveAnswer } from './start.ts';

/** working → landing, preparing (once more) or fenced; unchanged while it runs. */
export async function watchAnswer(shop: Workshop, answer: Answer): Promise<Answer> {
  const status = await shop.node.supervisor.status(shop.scratch(answer.spawn));
  if (status.state === 'lost') {
    await shop.node.supervisor.stop(shop.scratch(answer.spawn), 'asked');
    return failedTry(shop, { ...answer, spawns: [...answer.spawns, recordOf(shop, answer, null, null, status)] }, 'its supervisor was killed');
  }
  if (status.state !== 'ended') return answer;
  const { end } = status;
  if (end.stopped === 'fenced') return saveAnswer(shop, { ...answer, phase: 'fenced' });
  const report = await readReport(shop, answer, end);
  const ended = { ...answer, spawns: [...answer.spawns, recordOf(shop, answer, report, end, status)] };
  shop.say('spawn ended', { agent: answer.agent, place: placeName(answer.place), spawn: answer.spawn, ok: report.ok, failure: report.failure });
  if (report.ok) await shop.unpark(answer.provider);
  if (report.ok || report.question !== null) return landReply(shop, ended, { ok: true, text: report.question === null ? report.report : `@human ${report.question}` });
  if (end.stopped === 'asked') return landReply(shop, ended, { ok: false, text: `${answer.agent} was stopped before it had answered.` });
  const reason = firstLine(report.report) || (report.failure ?? 'it failed');
  return isProvidersFault(report.failure, report.usage?.output ?? null) ? elsewhere(shop, ended, report, reason) : failedTry(shop, ended, reason);
}

/** The record of a spawn that was stopped with its answer; null where it runs, or left no word. */
export async function endOf(shop: Workshop, answer: Answer): Promise<SpawnRecord | null> {
  const status = await shop.node.supervisor.status(shop.scratch(answer.spawn));
  return status.state === 'ended' ? recordOf(shop, answer, await readReport(shop, answer, status.end), status.end, status) : null;
}

async function readReport(shop: Workshop, answer: Answer, end: SpawnEnd): Promise<SpawnReport> {
  const provider = shop.providers.get(answer.provider);
  const scratch = shop.scratch(answer.spawn);
  if (provider === undefined) return { ok: false, failure: 'refused', report: `there is no provider ${answer.provider}`, criteria: [], usage: null, costUsd: null, session: null, retryable: false, resetAt: null, warnings: [], question: null };
  return provider.interpret(answerRequest(shop, answer), end, (name) => shop.node.supervisor.readFile(scratch, name));
}

function recordOf({ node }: Workshop, answer: Answer, report: SpawnReport | null, end: SpawnEnd | null, status: SpawnStatus): SpawnRecord {
  const supervisor = status.state === 'lost' ? null : status.supervisor;
  return {
    id: answer.spawn, purpose: 'message', start: end?.startedAt ?? answer.startedAt, end: end?.endedAt ?? node.clock.now().toISOString(),
    outcome: status.state === 'lost' ? 'lost' : end?.stopped === 'asked' ? 'stopped' : end?.stopped === 'fenced' ? 'fenced' : report?.ok === true ? 'succeeded' : 'failed', failure: status.state === 'lost' ? 'crashed' : (report?.failure ?? null),
    session: report?.session ?? null, usage: report?.usage ?? null, costUsd: report?.costUsd ?? null,
    process: supervisor === null ? null : { boot_id: supervisor.boot_id, pid: supervisor.pid, start: supervisor.start },
    provider: answer.provider, providerVersion: answer.providerVersion, model: report?.model ?? answer.model,
  };
}

/** Not the agent's fault: its provider is parked, and the next one is asked at once. */
async function elsewhere(shop: Workshop, answer: Answer, report: SpawnReport, reason: string): Promise<Answer> {
  await shop.park(answer.provider, { failure: report.failure as FailureKind, reason, resetAt: report.resetAt });
  const next = await chooseProviderFor(shop, { agent: answer.agent, task: null });
  if ('unavailable' in next) return landReply(shop, answer, { ok: false, text: `${answer.agent} could not answer: ${next.unavailable}` });
  return saveAnswer(shop, { ...answer, phase: 'preparing', provider: next.name, providerVersion: next.version, model: next.model });
}

/** Once more, and then the place is told why there is no answer. */
function failedTry(shop: Workshop, answer: Answer, reason: string): Promise<Answer> {
  if (answer.spawns.length < ANSWER_TRIES) return saveAnswer(shop, { ...answer, phase: 'preparing' });
  return landReply(shop, answer, { ok: false, text: `${answer.agent} could not answer: ${reason}` });
}

async function landReply(shop: Workshop, answer: Answer, { ok, text }: Pick<Reply, 'ok' | 'text'>): Promise<Answer> {
  const { files, work, refused } = ok ? await changesOf(shop, answer) : { files: [], work: null, refused: [] };
  const said = text.trim() === '' ? 'It is done.' : text.trim().slice(0, TEXT_CHARS_MAX);
  const note = work === null ? '' : `\n\n(${work.paths.length} changed file${work.paths.length === 1 ? '' : 's'} wait${work.paths.length === 1 ? 's' : ''} as the task ${work.task}.)`;
  return saveAnswer(shop, { ...answer, phase: 'landing', reply: { id: shop.node.clock.ulid(), ok, text: said + note + refusals(refused), files }, work });
}

const TEXT_CHARS_MAX = 64 * 1024;

/** What did not land, for whoever reads the answer: its speaker too, when it is woken again. */
function refusals(refused: readonly string[]): string {
  return refused.length === 0 ? '' : `\n\n(Not added:\n${refused.map((line) => `- ${line}`).join('\n')})`;
}

/**
 * What may land with a message: new tasks, what its role may add, and its own memory. Everything else is kept as a commit and
 * handed to a task of its own: it lands under a claim, verified, or not at all.
 */
async function changesOf(shop: Workshop, answer: Answer): Promise<{ readonly files: Reply['files']; readonly work: KeptChanges | null; readonly refused: readonly string[] }> {
  const { node, worktrees } = shop;
  if (!(await worktrees.exists(answerWorktree(answer)))) return { files: [], work: null, refused: [] };
  const { tree, head } = await worktrees.capture(answerWorktree(answer));
  const changes = await diffTrees(node.store, await treeOf(node.store, answer.base), tree);
  const role = shop.agent(answer.agent)?.role ?? 'worker';
  const lands = changes.filter((change) => isOwnState(change) && change.after !== null && scopeBreaches([change], role, answer.agent, shop.config()).length === 0 && !isUsedId(shop, change));
  const rest = changes.filter((change) => !lands.includes(change));
  const { edits, problems } = await delegatedTasks(node, shop.fleet(), lands, { parent: null, request: answer.request ?? null, spawn: answer.spawn, depth: answer.cause.depth });
  const spoken = await spokenMessages(node, answer, lands);
  const refused = [...problems, ...spoken.problems].map(([path, problem]) => `${path}: ${problem}`);
  const sound = lands.filter(({ path }) => !problems.has(path) && !spoken.problems.has(path));
  const files = sound.map(({ path, before, after }) => ({ path, before: before?.oid ?? null, blob: edits.get(path)?.oid ?? spoken.edits.get(path)?.oid ?? (after?.oid as Oid) }));
  return { files, refused, work: rest.length === 0 ? null : await keepChanges(shop, answer, tree, head, rest.map(({ path }) => path)) };
}

function isOwnState({ path, after }: PathChange): boolean {
  return /^(tasks|memory|agents)\//.test(path) && (after?.mode === '100644' || after?.mode === '100755');
}

function isUsedId(shop: Workshop, { path, before }: PathChange): boolean {
  if (taskFileKind(path) !== 'instruction') return false;
  const { tasks, results, chains } = shop.fleet();
  const id = taskStem(path);
  return before !== null || tasks.has(id) || results.has(id) || chains.has(id);
}

async function keepChanges({ node }: Workshop, answer: Answer, tree: Oid, parent: Oid, paths: readonly string[]): Promise<KeptChanges> {
  const message = renderMessage({ subject: `${placeName(answer.place)}: changes by ${answer.agent}`, trailers: { Kind: 'wip', Agent: answer.agent, Spawn: answer.spawn } });
  const commit = await node.store.writeCommit({ tree, parents: [parent], author: agentSignature(node, answer.agent), committer: nodeSignature(node), message });
  return { task: generateTaskId(`changes by ${answer.agent}`, node.clock.randomBytes(4)), commit, paths };
}

function firstLine(report: string): string {
  return (report.split('\n').find((line) => line.trim() !== '' && !line.startsWith('#')) ?? '').trim().slice(0, 300);
}
