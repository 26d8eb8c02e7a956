import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import type { ClaimRecord } from '../../src/model/claim.ts';
import type { FleetRecord } from '../../src/model/config.ts';
import type { NodeRecord } from '../../src/model/node.ts';
import { parseClaimRecord, renderClaimRecord } from '../../src/observe/claimRecord.ts';
import { parseFleetRecord, renderFleetRecord } from '../../src/observe/fleetRecord.ts';
import { parseNodeRecord, renderNodeRecord } from '../../src/observe/nodeRecord.ts';
import { parseResult, renderResult } from '../../src/observe/resultFile.ts';
import { claimSchema, fleetRecordSchema, nodeSchema, resultSchema } from '../../src/observe/schemas.ts';

const OID = 'ab'.repeat(20);
const encode = (value: unknown): Uint8Array => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));

const CLAIM: ClaimRecord = {
  schema: 'cambium.claim/1', task: 'add-login-k3f9', kind: 'claim', epoch: 2, attempt: 1, agent: 'worker-1', node: 'vm-a', incarnation: '3f0c', op: '01JD0Z',
  instruction: { blob: OID, commit: OID }, ttl_s: 180, claimed_at: '2026-11-21T00:48:00Z',
};
const BEAT: NodeRecord = {
  schema: 'cambium.node/1', kind: 'heartbeat', nonce: 'b7', main: OID, node: 'vm-a', machine: '5e2f', incarnation: '3f0c', boot_id: 'c0de', seq: 118, version: '0.1.0',
  claims: [{ task: 'add-login-k3f9', epoch: 2, claim: OID }], spawns: [{ id: '01JD0Z8M3N', agent: 'worker-1' }],
};
const BREAK: NodeRecord = { schema: 'cambium.node/1', kind: 'break', node: 'vm-a', by: 'vm-b', breaks: [{ task: 'add-login-k3f9', epoch: 2 }], op: '01JD' };
const FLEET: FleetRecord = { schema: 'cambium.hub/1', fleet: 'f-8k2m4q', format: 1, generation: 1, branch: 'main', created: '2026-11-20T23:00:00Z' };

const KINDS: readonly { readonly name: string; readonly record: Record<string, unknown>; readonly parse: (bytes: Uint8Array) => unknown; readonly render: (record: never) => string; readonly schema: z.ZodType }[] = [
  { name: 'claim.json', record: CLAIM, parse: parseClaimRecord, render: renderClaimRecord, schema: claimSchema },
  { name: 'a heartbeat', record: BEAT, parse: parseNodeRecord, render: renderNodeRecord, schema: nodeSchema },
  { name: 'a break', record: BREAK, parse: parseNodeRecord, render: renderNodeRecord, schema: nodeSchema },
  { name: 'fleet.json', record: { ...FLEET }, parse: parseFleetRecord, render: renderFleetRecord, schema: fleetRecordSchema },
];

describe.each(KINDS)('$name', ({ record, parse, render, schema }) => {
  test('round-trips, in the format\'s order whatever order it came in, with a line feed at the end', () => {
    const shuffled = Object.fromEntries(Object.entries(record).toReversed());
    expect(render(shuffled as never)).toBe(render(record as never));
    expect(render(record as never)).toBe(`${JSON.stringify(record, null, 2)}\n`);
    expect(parse(encode(render(record as never)))).toEqual(record);
  });

  test('keeps what a newer minor version added', () => {
    const newer = { ...record, zeta: { deep: [1, 'x'] }, alpha: null };
    const rendered = render(parse(encode(newer)) as never);
    expect(JSON.parse(rendered)).toEqual(newer);
    expect(rendered.indexOf('zeta')).toBeLessThan(rendered.indexOf('alpha'));
  });

  test('a newer major is refused as such', () => {
    const newer = { ...record, schema: String(record['schema']).replace('/1', '/2'), epoch: 'unknowable' };
    expect(() => parse(encode(newer))).toThrow(expect.objectContaining({ code: 'schema-too-new' }));
  });

  test.each(['', '[]', 'null', '1', '{', '{}', '\ufeff{}', `${'['.repeat(100_000)}${']'.repeat(100_000)}`])('%# is a bad file', (text) => {
    expect(() => parse(encode(text))).toThrow(expect.objectContaining({ code: 'bad-file' }));
  });

  test('nesting that would overflow whoever prints it, and __proto__, are refused', () => {
    const whole = JSON.stringify(record).slice(0, -1);
    expect(() => parse(encode(`${whole},"x":${'['.repeat(50_000)}${']'.repeat(50_000)}}`))).toThrow(expect.objectContaining({ code: 'bad-file' }));
    expect(() => parse(encode(`${whole},"x":{"__proto__":{"admin":true}}}`))).toThrow(expect.objectContaining({ code: 'bad-file' }));
  });

  test('the hand-written check and the zod schema agree when any part is replaced or missing', () => {
    const odd = fc.oneof(fc.constantFrom(undefined, null, '', 'x', 'Bad Id', 'con', 'human', '-x', OID, OID.toUpperCase(), 0, 1, -1, 1.5, true, [], [{}], {}, 'heartbeat', 'break', 'done', 'cambium.claim/0'), fc.jsonValue({ maxDepth: 2 })
      // A reader refuses this key before any schema is asked (the test above); no JSON Schema can say so.
      .filter((value) => !JSON.stringify(value).includes('__proto__')));
    const paths = Object.keys(record).flatMap((key) => {
      const value = record[key];
      const inner = Array.isArray(value) ? value[0] : value;
      return typeof inner === 'object' && inner !== null ? [[key], ...Object.keys(inner).map((below) => [key, below])] : [[key]];
    });
    const optional = ['outcome', 'result', 'reason', 'by', 'not_before', 'spent', 'branch', 'commit', 'question'].map((key) => [key]);
    fc.assert(fc.property(fc.constantFrom(...paths, ...optional), odd, ([key, below], value) => {
      const changed = structuredClone(record);
      const inner = (Array.isArray(changed[key as string]) ? (changed[key as string] as unknown[])[0] : changed[key as string]) as Record<string, unknown>;
      if (below === undefined) changed[key as string] = value;
      else inner[below] = value;
      const onWire = JSON.parse(JSON.stringify(changed)) as unknown;
      expect(accepts(parse, onWire), JSON.stringify(onWire)).toBe(schema.safeParse(onWire).success);
    }), { numRuns: 400 });
  });
});

/** A newer schema is refused by both, by hand under a code of its own. */
function accepts(parse: (bytes: Uint8Array) => unknown, value: unknown): boolean {
  try {
    parse(encode(value));
    return true;
  } catch {
    return false;
  }
}

test('a hub of a newer format is refused as too new', () => {
  expect(() => parseFleetRecord(encode({ ...FLEET, format: 2 }))).toThrow(expect.objectContaining({ code: 'schema-too-new' }));
});

test('a heartbeat before the first sight of main is good', () => {
  expect(parseNodeRecord(encode({ ...BEAT, main: '' }))).toMatchObject({ main: '' });
});

test('the result schema agrees with the hand-written check key by key', () => {
  const result = {
    task: 'x', outcome: 'done', epoch: 2, claim: OID, attempts: 1, agent: 'worker-1', node: 'vm-a', provider: 'claude', model: null, started: null, ended: '2026-11-21T00:51:40Z',
    usage: { input: 1, cached: 0, output: 2 }, costUsd: 0.1, commits: [OID], criteria: [{ text: 'a', met: true, evidence: '' }], verify: null, spawns: [],
  } as const;
  const lines = renderResult(result, '').split('\n').slice(1, -2);
  const fields = JSON.parse(JSON.stringify({ schema: 'cambium.result/1', ...result, cost_usd: 0.1 })) as Record<string, unknown>;
  expect(resultSchema.safeParse(fields).success).toBe(true);
  for (const key of lines.map((line) => line.split(':')[0] as string)) {
    if (key === '---') continue;
    for (const odd of [null, -1, 1.5, 'Bad Id', '', true, [], {}, [1]]) {
      const text = renderResult(result, '').replace(new RegExp(`^${key}: .*$`, 'm'), `${key}: ${JSON.stringify(odd)}`);
      const byHand = !('reason' in parseResult({ path: 'tasks/x.result.md', bytes: encode(text) }));
      // Below a text key a bare number or boolean is the text that stands there.
      const said = typeof odd === 'number' && !['epoch', 'attempts', 'cost_usd'].includes(key) ? String(odd) : odd === true && key !== 'met' && !['epoch', 'attempts', 'cost_usd'].includes(key) ? 'true' : odd;
      const listed = Array.isArray(said) && said.length === 1 ? said.map(String) : said;
      expect(resultSchema.safeParse({ ...fields, [key]: listed }).success, `${key}: ${JSON.stringify(odd)}`).toBe(byHand);
    }
  }
});
