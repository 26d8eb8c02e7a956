/** `cambium hook session-start`: tells a session who it is, what it holds and what it wanted to remember. Asks no network. */
import { lookUp } from '../../adapters/git/lookUp.ts';
import { NOTHING } from '../../model/hook.ts';
import type { HookAnswer } from '../../model/hook.ts';
import { plain } from '../plain.ts';
import { heldClaims, onMain } from './call.ts';
import type { HeldClaim, HookCall } from './call.ts';

/** Of characters: CLIs cut off what is longer than about 10,000. */
const MEMORY_MAX = 3_000;
const INSTRUCTION_MAX = 4_500;
const TOTAL_MAX = 9_500;

export async function answer(call: HookCall): Promise<HookAnswer> {
  const { agent, place, state, spawn, input } = call;
  state.sweep();
  // The prompt of a spawn has all of it; after a compaction, or in a session that is gone on with, it may be lost.
  if (spawn !== null && (input.source === null || input.source === 'startup')) {
    return { kind: 'context', text: `You are the agent ${agent} of a cambium fleet${spawn.task === null ? '' : `, spawned for the task ${spawn.task}, which is claimed for you`}.` };
  }
  const held = heldClaims(call);
  const [memory, ...instructions] = lookUp(place.commonDir, [onMain(place, `memory/${agent}/working.md`), ...held.map(({ instruction }) => instruction ?? 'none')]);
  const tasks = await Promise.all(held.map((claim, at) => describeClaim(call, claim, instructions[at]?.bytes ?? null, Math.floor(INSTRUCTION_MAX / held.length))));
  const text = [who(call, held), ...tasks, ...(memory?.type === 'blob' ? [`What you wanted to remember (memory/${agent}/working.md):\n${cut(memory.bytes.toString('utf8'), MEMORY_MAX)}`] : [])].join('\n\n');
  return text === '' ? NOTHING : { kind: 'context', text: cut(text, TOTAL_MAX) };
}

function who({ agent, spawn }: HookCall, held: readonly HeldClaim[]): string {
  const start = `You are the agent ${agent} of a cambium fleet.`;
  if (spawn !== null) return `${start} This session was spawned by the engine: it claims, renews and lands for you.`;
  return `${start} ${held.length === 0 ? 'You hold no task: `cambium task claim --json` takes one; exit 3 means that nothing is ready, then end.' : 'You hold what follows; renew it while you work: `cambium worker heartbeat`.'} AGENTS.md says how to work.`;
}

async function describeClaim({ spawn }: HookCall, { task, epoch }: HeldClaim, bytes: Buffer | null, most: number): Promise<string> {
  const head = `Task ${task}, claim epoch ${epoch}.`;
  if (bytes === null) return head;
  const { instructionText, parseTask } = await import('../../observe/taskFile.ts');
  const parsed = parseTask({ path: `tasks/${task}.md`, blob: '', bytes });
  const [title, criteria] = 'acceptanceCriteria' in parsed ? [parsed.title, parsed.acceptanceCriteria] : [task, []];
  return [
    `Task ${task} (claim epoch ${epoch}): ${title}`,
    ...(spawn === null ? [`End it with \`cambium task complete ${task} --epoch ${epoch} --result FILE\`, or fail or release it.`] : []),
    ...(criteria.length === 0 ? [] : ['Acceptance criteria:', ...criteria.map((text) => `- ${text}`)]),
    'Instruction:', cut(instructionText(bytes).trim(), most),
  ].join('\n');
}

function cut(text: string, most: number): string {
  const clean = plain(text);
  return clean.length <= most ? clean : `${clean.slice(0, most)}\n[cut here: ${clean.length - most} characters more]`;
}
