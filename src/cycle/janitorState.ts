/** When a node tidies up next. */
import { REQUEST_LIFE_MS } from '../act/collect.ts';

export interface JanitorState {
  /** Boot-time ms before which it is not looked for work; null until the first pass has spread the nodes. */
  nextMs: number | null;
  /** Boot-time ms since when there is too much, if there is. */
  overSinceMs: number | null;
  /** How long the ref of an ended chain stays; shorter only in tests. */
  lifeMs: number;
}

export function freshJanitor(): JanitorState {
  return { nextMs: null, overSinceMs: null, lifeMs: REQUEST_LIFE_MS };
}
