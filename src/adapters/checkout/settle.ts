/**
 * Has a changed file come to rest? It has when two looks, far enough apart on the boot clock, saw the same stamp.
 * Times of the file itself are never compared with a clock: one in the future would wait for ever. Pure.
 */
export class Settling {
  #seen = new Map<string, { readonly stamp: string; readonly sinceBootMs: number }>();
  #now = new Map<string, { readonly stamp: string; readonly sinceBootMs: number }>();

  /** Records the sight of a changed file and says whether it has stood so for `waitMs`. */
  rests(path: string, stamp: string, waitMs: number, bootMs: number): boolean {
    const before = this.#seen.get(path);
    const record = before?.stamp === stamp ? before : { stamp, sinceBootMs: bootMs };
    this.#now.set(path, record);
    return bootMs - record.sinceBootMs >= waitMs;
  }

  /** Ends one look: a file that was not changed in it starts anew when it changes again. */
  endLook(): void {
    this.#seen = this.#now;
    this.#now = new Map();
  }
}
