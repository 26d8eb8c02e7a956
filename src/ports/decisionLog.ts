/** What a node decided and why, line by line, in its clone's git directory. It tells, and nothing is ever decided by it. */
import type { DecisionRecord } from '../model/decision.ts';

/** Days that are kept, the present one included. */
export const DECISION_DAYS = 30;
/** Bytes that one UTC day may take: a node in trouble must not fill a disk with its reasons. */
export const DECISION_DAY_BYTES_MAX = 16 * 1024 * 1024;
/** Longest reason in characters; the rest is cut off. */
export const DECISION_REASON_MAX = 2_000;

export interface DecisionLog {
  /**
   * Adds one line to the file of its UTC day. It is there for whoever reads from now on, also when this process is
   * killed at once. Never throws: a full disk costs the line, not the pass.
   */
  append(record: DecisionRecord): void;
  /** Newest first, back to the oldest day that is kept; lines that are damaged are left out. */
  read(): AsyncIterable<DecisionRecord>;
}
