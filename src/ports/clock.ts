/** Time and chance. The only source of either: decisions get them as arguments. */
export interface Clock {
  /**
   * Milliseconds on the boot-time clock: monotonic, counts suspend, shared by all processes of this boot
   * (PROTOCOL P4.5). Leases are judged by it and by nothing else.
   */
  bootMs(): number;
  /** Wall-clock time, for people only. */
  now(): Date;
  /** Resolves after `ms`, or at once when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** A time-sortable unique id (ULID, 26 characters). */
  ulid(): string;
  randomBytes(count: number): Uint8Array;
}
