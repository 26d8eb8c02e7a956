/** A decision log in memory, for a simulated node. */
import type { DecisionRecord } from '../../model/decision.ts';
import type { DecisionLog } from '../../ports/decisionLog.ts';

/** `lines` may be shared between a node and its restarted self. */
export function createMemoryDecisionLog(lines: DecisionRecord[] = []): DecisionLog {
  return {
    append: (record) => void lines.push(record),
    async *read() {
      yield* lines.toReversed();
    },
  };
}
