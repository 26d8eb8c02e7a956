/**
 * `cambium hook stop`: a session is about to end its turn. Each block is a paid turn of the model, so it is blocked for three
 * reasons only, and never in order to wait:
 *
 *   a claim won by hand is still held      once a chain of stops: a reminder
 *   the engine's own spawn left no report  once, where the task has acceptance criteria
 *   `stop: drain`, and a task was claimed  each brings a task that the agent has just been given, after the last has ended
 *
 * Only claude has a cap of its own on blocks in a row; the marks of adapters/system/hookState.ts are the cap for all three.
 */
import { join } from 'node:path';
import { lookUp } from '../../adapters/git/lookUp.ts';
import { hasText, smallFile } from '../../adapters/system/hookState.ts';
import { NOTHING } from '../../model/hook.ts';
import type { HookAnswer } from '../../model/hook.ts';
import { CONFIG_FILE } from '../../model/layout.ts';
import { heldClaims, onMain } from './call.ts';
import type { HeldClaim, HookCall } from './call.ts';

export async function answer(call: HookCall): Promise<HookAnswer> {
  if (call.spawn !== null) return missingReport(call, call.spawn);
  const held = heldClaims(call);
  if (held.length > 0) return remind(call, held);
  return (await drains(call)) ? (await import('./drain.ts')).answer(call) : NOTHING;
}

/** A person's next prompt begins a new chain (user-prompt forgets the marks); without that hook it is once a claim. */
function remind({ input, state }: HookCall, held: readonly HeldClaim[]): HookAnswer {
  if (input.stopActive) return NOTHING;
  const open = held.filter(({ task, epoch }) => state.once(`claim-${task}.${epoch}`));
  return open.length === 0 ? NOTHING : { kind: 'block', reason: reminder(held) };
}

function reminder(held: readonly HeldClaim[]): string {
  const lines = held.map(({ task, epoch }) => [
    `You still hold the task ${task} (epoch ${epoch}). End it in one of three ways:`,
    `  cambium task complete ${task} --epoch ${epoch} --result .cambium/report.md   (the work is done)`,
    `  cambium task fail ${task} --epoch ${epoch} --reason "…"                      (it cannot be done as written)`,
    `  cambium task release ${task} --epoch ${epoch} --reason "…"                   (somebody else can go on)`,
  ].join('\n'));
  return [...lines, 'If you wait for a person, say so and end: this is said once.'].join('\n\n');
}

async function missingReport({ input, state, place, agent }: HookCall, spawn: NonNullable<HookCall['spawn']>): Promise<HookAnswer> {
  if (input.stopActive || spawn.resultFile === null || hasText(spawn.resultFile)) return NOTHING;
  const [claim] = heldClaims({ place, state, agent, spawn });
  if (claim === undefined || claim.instruction === null) return NOTHING;
  const [file] = lookUp(place.commonDir, [claim.instruction]);
  if (file === null || file === undefined || !/^acceptance_criteria\s*:/m.test(file.bytes.toString('utf8'))) return NOTHING;
  const { parseTask } = await import('../../observe/taskFile.ts');
  const task = parseTask({ path: `tasks/${claim.task}.md`, blob: file.oid, bytes: file.bytes });
  const criteria = 'acceptanceCriteria' in task ? task.acceptanceCriteria : [];
  if (criteria.length === 0 || !state.once('report')) return NOTHING;
  return { kind: 'block', reason: `Your report is missing, and a criterion that is not reported counts as unmet. Write it to ${spawn.resultFile}, with each of these as met or unmet and its evidence, then end:\n${criteria.map((text) => `- ${text}`).join('\n')}` };
}

/** The word in the checkout's cambium.yaml is looked for first: without it, which is nearly everywhere, not even git is asked. */
async function drains({ place, state, agent }: HookCall): Promise<boolean> {
  if (!/\bdrain\b/.test(smallFile(join(place.root, CONFIG_FILE)) ?? '')) return false;
  const [file] = lookUp(place.commonDir, [onMain(place, CONFIG_FILE)]);
  const { hookRules } = await import('./rules.ts');
  return (await hookRules(state, file ?? null)).drains.includes(agent);
}
