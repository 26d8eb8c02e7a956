import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { parseRoster, parseSpawnRecord } from '../../src/observe/agentRecords.ts';
import { parseGuestRecord } from '../../src/observe/guestRecord.ts';
import { guestSchema, rosterSchema, spawnSchema } from '../../src/observe/schemas.ts';

const OID = 'ab'.repeat(20);
const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

const SPAWN = {
  schema: 'cambium.spawn/1', id: '01JD0Z8M3N', parent: null, depth: 0, agent: 'worker-1', node: 'vm-a', purpose: 'task', task: 'add-login-k3f9', epoch: 2, attempt: 1, channel: null, messages: ['01JD'],
  provider: 'claude', provider_version: '2.1.329', model: 'claude-sonnet', session: '6b1e', process: { boot_id: 'c0de', pid: 4121, start: 8812345 },
  start: '2026-11-21T00:48:01Z', end: '2026-11-21T00:51:38Z', outcome: 'succeeded', failure: null, usage: { input: 18200, cached: 9100, output: 2400 }, cost_usd: 0.12,
};
const ROSTER = { schema: 'cambium.roster/1', agents: [{ id: 'worker-1', role: 'worker', node: 'vm-a', capabilities: ['node'], provider: 'runbook', status: 'active', joined: '2026-11-20T23:00:00Z', last_active: '2026-11-21T00:51:40Z' }] };
const GUEST = {
  schema: 'cambium.guest/1', fleet: 'f-8k2m4q', task: 'add-login-k3f9', kind: 'landed', epoch: 2, op: '01JD', agent: 'worker-1', node: 'vm-a', claim: OID, instruction: OID, base: OID,
  result: OID, branch: 'review/add-login-k3f9', report: 'Done.', criteria: [{ text: 'Works', met: true, evidence: 'ran it' }], verify: { command: 'npm test', exit: 0, seconds: 1.5 }, commits: [OID], notes: ['copied .env'],
};

const KINDS: readonly { readonly name: string; readonly record: Record<string, unknown>; readonly parse: (bytes: Uint8Array) => unknown; readonly schema: z.ZodType }[] = [
  { name: 'a spawn record', record: SPAWN, parse: parseSpawnRecord, schema: spawnSchema },
  { name: 'the roster', record: ROSTER, parse: parseRoster, schema: rosterSchema },
  { name: 'guest.json', record: GUEST, parse: parseGuestRecord, schema: guestSchema },
];

describe.each(KINDS)('$name', ({ record, parse, schema }) => {
  test('is read as docs/formats.md shows it, with what a newer minor version added', () => {
    expect(() => parse(encode({ ...record, zeta: 1 }))).not.toThrow();
    expect(schema.safeParse({ ...record, zeta: 1 }).success).toBe(true);
  });

  test('of a newer major is refused as such', () => {
    expect(() => parse(encode({ ...record, schema: String(record['schema']).replace('/1', '/2') }))).toThrow(expect.objectContaining({ code: 'schema-too-new' }));
  });

  test('the hand-written check and the zod schema agree when any part is replaced or missing', () => {
    const odd = fc.constantFrom(undefined, null, '', 'x', 'Bad Id', 'con', 'human', '-x', OID, OID.toUpperCase(), 0, 1, -1, 1.5, true, [], [{}], ['a'], {}, 'claim', 'landed', 'lost', 'failed');
    const paths = Object.entries(record).flatMap(([key, value]) => {
      const inner: unknown = Array.isArray(value) ? value[0] : value;
      return typeof inner === 'object' && inner !== null ? [[key], ...Object.keys(inner).map((below) => [key, below])] : [[key]];
    });
    fc.assert(fc.property(fc.constantFrom(...paths), odd, ([key, below], value) => {
      const changed = structuredClone(record);
      const inner = (Array.isArray(changed[key as string]) ? (changed[key as string] as unknown[])[0] : changed[key as string]) as Record<string, unknown>;
      if (below === undefined) changed[key as string] = value;
      else inner[below] = value;
      const onWire = JSON.parse(JSON.stringify(changed)) as unknown;
      expect(accepts(parse, onWire), JSON.stringify(onWire)).toBe(schema.safeParse(onWire).success);
    }), { numRuns: 400 });
  });
});

function accepts(parse: (bytes: Uint8Array) => unknown, value: unknown): boolean {
  try {
    parse(encode(value));
    return true;
  } catch {
    return false;
  }
}
