/** One process as the system lists it. */
export interface ProcessRow {
  readonly pid: number;
  readonly ppid: number;
  /** Clock ticks since boot on Linux, seconds since 1970 elsewhere: compared only on one machine. */
  readonly start: number;
}
