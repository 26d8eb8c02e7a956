/** A listing and the fetch that follows are two moments: when a ref moved in between, the hub is listed again. */
import { CambiumError } from '../errors.ts';

const TRIES_MAX = 5;

/** Repeats a refresh that ended with `refused`, a few times. */
export async function listAgain<T>(refreshOnce: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await refreshOnce();
    } catch (error) {
      if (!(error instanceof CambiumError && error.code === 'refused') || tries === TRIES_MAX) throw error;
    }
  }
}
