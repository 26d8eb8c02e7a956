/** guest.json, and what a result says of a project: the same verdict as their schemas, the same bytes on every node. */
import { describe, expect, test } from 'vitest';
import type { TaskResult } from '../../src/model/task.ts';
import { parseGuestRecord, renderGuestRecord } from '../../src/observe/guestRecord.ts';
import type { GuestRecord } from '../../src/observe/guestRecord.ts';
import { parseResult, renderResult } from '../../src/observe/resultFile.ts';
import { guestSchema, resultSchema } from '../../src/observe/schemas.ts';

const OID = 'ab'.repeat(20);
const CLAIM: GuestRecord = {
  schema: 'cambium.guest/1', fleet: 'f-8k2m4q', task: 'add-login', kind: 'claim', epoch: 2, op: '01JD0Z', agent: 'worker-1', node: 'vm-a', claim: OID, instruction: OID, base: OID,
};
const LANDED: GuestRecord = {
  ...CLAIM, kind: 'landed', result: OID, branch: 'review/add-login', report: 'Done.\n', criteria: [{ text: 'Tests pass', met: true, evidence: '3 passed' }],
  verify: { command: 'npm test', exit: 0, seconds: 1.5 }, commits: [OID], notes: ['Its host is protected.'],
};
const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

describe('guest.json', () => {
  test.each([['a claim', CLAIM], ['a landing', LANDED], ['one of a newer minor version', { ...LANDED, zeta: { deep: [1] } }]])('%s round-trips in the format\'s order, and its schema agrees', (_name, record) => {
    const shuffled = Object.fromEntries(Object.entries(record).toReversed()) as unknown as GuestRecord;
    expect(renderGuestRecord(shuffled)).toBe(renderGuestRecord(record));
    expect(parseGuestRecord(new TextEncoder().encode(renderGuestRecord(record)))).toEqual(record);
    expect(guestSchema.safeParse(record).success).toBe(true);
  });

  test.each([
    { kind: 'release' }, { epoch: 0 }, { epoch: 1.5 }, { task: '../main' }, { fleet: 'a/b' }, { agent: 'human' }, { claim: 'not an oid' }, { base: null }, { op: '' }, { result: 'main' },
    { branch: '--force' }, { criteria: [{}] }, { verify: { exit: 'zero' } }, { commits: 'all' }, { notes: [1] },
  ])('%j is refused by both', (change) => {
    const record = { ...LANDED, ...change };
    expect(() => parseGuestRecord(encode(record))).toThrow(expect.objectContaining({ code: 'bad-file' }));
    expect(guestSchema.safeParse(record).success).toBe(false);
  });

  test('of a newer major is refused as such', () => {
    expect(() => parseGuestRecord(encode({ ...CLAIM, schema: 'cambium.guest/2' }))).toThrow(expect.objectContaining({ code: 'schema-too-new' }));
  });
});

describe('a result', () => {
  const result: TaskResult = {
    task: 'add-login', outcome: 'done', epoch: 1, claim: OID, attempts: 1, agent: 'worker-1', node: 'vm-a', provider: 'runbook', model: null, started: '2026-11-21T00:00:00Z', ended: '2026-11-21T00:01:00Z',
    usage: null, costUsd: null, commits: [], criteria: [], verify: null, spawns: [],
  };
  const project = { name: 'api', branch: 'review/add-login', commit: '0bac9ec9fe404cc86aead94c6d2e2752ec47ddff' };
  const read = (text: string): unknown => parseResult({ path: 'tasks/add-login.result.md', bytes: new TextEncoder().encode(text) });

  test('tells where the work of a project went, and nothing where there is none', () => {
    expect(read(renderResult({ ...result, project }, 'Done.'))).toEqual({ ...result, project });
    expect(renderResult(result, 'Done.')).not.toContain('project');
    expect(read(renderResult({ ...result, project: null }, 'Done.'))).toEqual(result);
  });

  test.each([{ name: 'api' }, 'api', { ...project, commit: 'main' }])('with project %j is refused by door and schema', (bad) => {
    const text = renderResult(result, 'Done.').replace('spawns: []', `spawns: []\nproject: ${JSON.stringify(bad)}`);
    expect(read(text)).toMatchObject({ reason: expect.stringContaining('project') as string });
    const { task: _task, costUsd, ...rest } = result;
    expect(resultSchema.safeParse({ schema: 'cambium.result/1', ...rest, cost_usd: costUsd, project: bad }).success).toBe(false);
  });
});
