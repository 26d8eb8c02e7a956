/** What every DecisionLog promises. `open` opens the same log again, as another process of the clone does. */
import { describe, expect, test } from 'vitest';
import type { DecisionRecord } from '../../src/model/decision.ts';
import type { DecisionLog } from '../../src/ports/decisionLog.ts';

export interface DecisionLogWorld {
  open(): DecisionLog;
}

export const decided = (at: string, more: Partial<DecisionRecord> = {}): DecisionRecord => ({ at, node: 'vm-a', cycle: 'c1', kind: 'claim', task: 'a', agent: 'ann', epoch: 1, reason: 'it was ready', ...more });

export async function readAll(log: DecisionLog): Promise<readonly DecisionRecord[]> {
  const found: DecisionRecord[] = [];
  for await (const record of log.read()) found.push(record);
  return found;
}

export function decisionLogContract(name: string, create: () => DecisionLogWorld): void {
  describe(`a decision log (${name})`, () => {
    test('gives back what was written, newest first, to whoever opens it next', async () => {
      const world = create();
      const records = [decided('2026-11-20T23:59:59.000Z'), decided('2026-11-21T00:00:00.000Z', { task: null, agent: null, epoch: null, kind: 'drain' }), decided('2026-11-21T10:00:00.000Z', { reason: 'ä\n"line"' })];
      for (const record of records) world.open().append(record);
      expect(await readAll(world.open())).toEqual(records.toReversed());
    });

    test('that nobody wrote to is empty', async () => expect(await readAll(create().open())).toEqual([]));

    test('may be left off anywhere', async () => {
      const log = create().open();
      for (const minute of [1, 2, 3]) log.append(decided(`2026-11-21T10:0${minute}:00.000Z`));
      for await (const record of log.read()) {
        expect(record.at).toBe('2026-11-21T10:03:00.000Z');
        break;
      }
    });
  });
}
