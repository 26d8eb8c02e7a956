/** How one member of a push ended, for whoever asked for it: its value, or the error that says what to do. */
import type { Published } from '../act/publish.ts';
import { CambiumError } from '../errors.ts';

/** Throws `fenced`, `id-used`, `refused`, `hub-policy` or `outcome-unknown`. */
export function published<T>(task: string, end: Published<T>): T {
  if (end.state === 'published') return end.value;
  if (end.state === 'dropped') throw new CambiumError(end.drop.code === 'fenced' ? 'fenced' : end.drop.code === 'used' ? 'id-used' : 'refused', `${task}: ${end.drop.detail}.`, { data: { code: end.drop.code } });
  throw unanswered(end);
}

export function unanswered(end: Published<unknown>): CambiumError {
  const detail = 'detail' in end ? end.detail : '';
  return end.state === 'refused-by-policy'
    ? new CambiumError('hub-policy', `The hub refuses the push: ${detail}`, { hint: 'Ask whoever runs the hub to allow this user to write to the branch and to refs/cambium/*.' })
    : new CambiumError('outcome-unknown', `The hub did not answer: ${detail}`, { hint: 'The push may still have happened: it is settled at the next command. Look with `cambium task show`.' });
}
