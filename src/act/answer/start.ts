/** From a won wake to a running agent. */
import { CambiumError } from '../../errors.ts';
import { answerRecordKey, answerWorktree } from '../../model/answer.ts';
import type { Answer } from '../../model/answer.ts';
import type { Oid } from '../../model/ids.ts';
import type { PromptSubject, SaidMessage } from '../../model/prompt.ts';
import type { Resume } from '../../model/run.ts';
import { agentSpeaking, placeName } from '../../model/talk.ts';
import type { Conversation, Message } from '../../model/talk.ts';
import { usdLeft } from '../../orient/budgets.ts';
import type { SpawnRequest } from '../../ports/provider.ts';
import { assemblePrompt } from '../prompt/assemble.ts';
import { toldTo } from '../prompt/told.ts';
import type { Chosen } from '../run/choose.ts';
import { RESULT_FILE } from '../run/workshop.ts';
import type { Workshop } from '../run/workshop.ts';
import type { WakeWon } from './wake.ts';

export async function saveAnswer({ node }: Workshop, answer: Answer): Promise<Answer> {
  await node.local.write(answerRecordKey(answer.key), answer);
  return answer;
}

/** The first record of an answer, written before anything is started for it. */
export function openAnswer(shop: Workshop, won: WakeWon, provider: Chosen, resume: Resume | null = null): Promise<Answer> {
  const { due, wake, tip } = won;
  const askers = [...new Set(due.messages.map(agentSpeaking).filter((agent): agent is string => agent !== null && agent !== due.agent))];
  return saveAnswer(shop, {
    key: due.key, agent: due.agent, place: due.place, messages: due.messages.map(({ id }) => id), askers, thread: due.thread, request: due.request, chain: due.chain, hops: due.hops, cause: { parent: due.parent, depth: due.hops },
    incarnation: wake.incarnation, wake: tip, ttlMs: wake.ttl_s * 1000, phase: 'preparing', base: shop.fleet().main.commit, provider: provider.name, providerVersion: provider.version,
    model: provider.model, resume, spawn: wake.spawn, spawns: [], startedAt: shop.node.clock.now().toISOString(), reply: null, work: null,
  });
}

/** preparing → working. Each try has a worktree and a spawn of its own. */
export async function startAnswer(shop: Workshop, opened: Answer, conversation: Conversation, deadlineBootMs: number): Promise<Answer> {
  const provider = shop.providers.get(opened.provider);
  if (provider === undefined) {
    const text = `${opened.agent} could not answer: there is no provider ${opened.provider}`;
    return saveAnswer(shop, { ...opened, phase: 'landing', reply: { id: shop.node.clock.ulid(), ok: false, text, files: [] } });
  }
  const spawn = opened.spawns.length === 0 ? opened.spawn : shop.node.clock.ulid();
  const working = await saveAnswer(shop, { ...opened, phase: 'working', spawn, base: await baseOf(shop, opened, conversation) });
  await shop.worktrees.create(answerWorktree(working), working.base);
  const request = answerRequest(shop, working);
  const told = await toldTo(shop, { agent: working.agent, role: request.role, task: null, commit: working.base });
  const { text: prompt } = assemblePrompt(answerSubject(working, request, conversation, told), shop.config().limits.promptTokens);
  await shop.node.supervisor.start(spawn, request.scratch, provider.prepare({ ...request, prompt }), {
    timeoutMs: request.timeoutMs, silenceMs: shop.config().timings.silenceMs, graceMs: shop.config().timings.graceMs, deadlineBootMs,
  });
  shop.say('spawn started', { agent: working.agent, place: placeName(working.place), spawn, provider: working.provider });
  return working;
}

/** Main as it is; for a question of some moment, as it was then. */
async function baseOf({ node, fleet }: Workshop, { messages }: Answer, conversation: Conversation): Promise<Oid> {
  const main = fleet().main.commit;
  const asOf = conversation.messages.findLast((message) => messages.includes(message.id) && message.asOf !== undefined)?.asOf;
  if (asOf === undefined) return main;
  try {
    return (await node.store.isAncestor(asOf, main)) ? asOf : main;
  } catch (error) {
    // Anybody may write a message: the name of nothing, or of no commit, is as good as none.
    if (error instanceof CambiumError && error.code === 'object-missing') return main;
    throw error;
  }
}

/** The request without its prompt: enough to read what the spawn left behind. */
export function answerRequest(shop: Workshop, answer: Answer): SpawnRequest {
  const { agent, spawn, place } = answer;
  const role = shop.agent(agent)?.role ?? 'worker';
  const worktree = shop.worktrees.path(answerWorktree(answer));
  const scratch = shop.scratch(spawn);
  return {
    spawn, purpose: 'message', agent, role, node: shop.node.identity.node, task: null, epoch: 0, attempt: answer.spawns.length + 1, instruction: '', prompt: '', worktree, directory: worktree,
    scratch, resultFile: `${scratch}/${RESULT_FILE}`, home: shop.home(agent), timeoutMs: shop.config().defaults.timeoutMinutes * 60_000,
    model: shop.providers.get(answer.provider)?.model(answer.model) ?? null, resume: answer.spawns.length === 0 ? (answer.resume ?? null) : null, maxTurns: null, budgetUsd: usdLeft(shop.limits(), { agent, task: null }, shop.node.clock.now().toISOString()), mayWrite: true, hook: shop.hook,
    variables: {
      CAMBIUM_AGENT: agent, CAMBIUM_NODE: shop.node.identity.node, CAMBIUM_CHAIN: answer.chain.join(','), CAMBIUM_HOPS: String(answer.hops), CAMBIUM_THREAD: answer.thread, CAMBIUM_RESULT_FILE: `${scratch}/${RESULT_FILE}`,
      ...('channel' in place ? { CAMBIUM_CHANNEL: place.channel } : {}), ...(answer.request === undefined || answer.request === null ? {} : { CAMBIUM_REQUEST: answer.request }),
    },
  };
}

/** How much of what was said before is shown. */
const HISTORY_MAX = 40;

/** Of an answer and its request, what the prompt says; `told` is what the tree and the fleet say (prompt/told.ts). */
export function answerSubject(
  answer: Pick<Answer, 'messages' | 'place' | 'request'>, request: Pick<SpawnRequest, 'agent' | 'role' | 'node' | 'purpose' | 'directory' | 'worktree' | 'resultFile' | 'attempt'>, { messages }: Conversation,
  told: Pick<PromptSubject, 'self' | 'template' | 'memory' | 'situation'>,
): PromptSubject {
  const { agent, role, node, purpose, directory, worktree, resultFile } = request;
  const asked = new Set(answer.messages);
  const newest = answer.messages.at(-1) ?? '';
  const blind = messages.some(({ id, group }) => asked.has(id) && group !== undefined);
  return {
    agent, role, node, purpose, directory, worktree, resultFile, task: null, epoch: 0, attempt: request.attempt, instruction: '', context: [], feedback: null, keptWork: false,
    channel: 'channel' in answer.place ? answer.place.channel : null, ...(answer.request === undefined || answer.request === null ? {} : { request: answer.request }),
    messages: messages.filter(({ id }) => asked.has(id)).map(saidOf),
    history: blind ? [] : messages.filter(({ id, kind }) => !asked.has(id) && id < newest && kind !== 'system').slice(-HISTORY_MAX).map(saidOf),
    ...(blind ? { blind } : {}), ...told,
  };
}

function saidOf({ id, from, at, text }: Message): SaidMessage {
  return { id, from, at, text };
}
