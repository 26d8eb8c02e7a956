/** Runs that land what was approved (PROTOCOL P6): nothing is spawned, and the work is kept by the claim chain itself. */
import type { Pin, Run } from '../../model/run.ts';

export function isPinnedRun(run: Run): run is Run & { readonly pin: Pin } {
  return run.pin !== undefined && run.pin !== null;
}
