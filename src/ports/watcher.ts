/** Events only say "look again" (DESIGN 7): they carry no payload and may be lost or doubled. */
export interface Watcher {
  /** Calls `nudge` soon after something may have changed below the watched paths. */
  start(nudge: () => void): Promise<void>;
  close(): Promise<void>;
}
