/** What a worker is told of a task that it has just won: where to work, how to keep it and end it, and the texts. */
import { plain } from './plain.ts';
import type { ClaimedTask } from './claimTask.ts';

export function claimBrief(won: ClaimedTask): string {
  const held = `${won.task} --agent ${won.agent} --epoch ${won.epoch}`;
  return [
    `${won.task} is yours: epoch ${won.epoch}, attempt ${won.attempt}. Work in ${won.worktree}`,
    `Renew within ${Math.floor((won.ttl_s * 2) / 3)} s:  cambium task renew ${held}`,
    `When done:            cambium task complete ${held} --result FILE`,
    ...(won.feedback === null ? [] : ['', `From an earlier attempt: ${plain(won.feedback)}`]),
    '', plain(won.instruction.trim()), ...won.context.map(({ path, text: content }) => `\n--- ${path} ---\n${plain(content.trim())}`),
  ].join('\n');
}
