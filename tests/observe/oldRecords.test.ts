/** What release 0.1.0 wrote, byte for byte (tests/fixtures/v0.1.0), is read by this version, and written again as it was. */
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { packageFile } from '../../src/adapters/system/version.ts';
import { parseClaimRecord, renderClaimRecord } from '../../src/observe/claimRecord.ts';
import { parseFleetConfig } from '../../src/observe/fleetConfig.ts';
import { parseFleetRecord, renderFleetRecord } from '../../src/observe/fleetRecord.ts';
import { parseNodeRecord, renderNodeRecord } from '../../src/observe/nodeRecord.ts';
import { parseResult, renderResult } from '../../src/observe/resultFile.ts';
import { rosterSchema, spawnSchema } from '../../src/observe/schemas.ts';
import { parseTask } from '../../src/observe/taskFile.ts';

const FOLDER = fileURLToPath(new URL('../fixtures/v0.1.0/', import.meta.url));
const bytes = (name: string): Buffer => readFileSync(`${FOLDER}${name}`);
const named = (prefix: string): readonly string[] => readdirSync(FOLDER).filter((name) => name.startsWith(prefix));
const OID = 'a'.repeat(40);

describe('of release 0.1.0', () => {
  test.each(named('claim.'))('%s is read as its kind and round-trips', (name) => {
    const record = parseClaimRecord(bytes(name));
    expect(record.kind).toBe(name.split('.')[1]);
    expect(renderClaimRecord(record)).toBe(bytes(name).toString('utf8'));
  });

  test('seven kinds of transition are here: all that it wrote', () => {
    expect(named('claim.')).toHaveLength(7);
  });

  test.each(named('node.'))('%s is read as its kind and round-trips', (name) => {
    const record = parseNodeRecord(bytes(name));
    expect(record.kind).toBe(name.split('.')[1]);
    expect(renderNodeRecord(record)).toBe(bytes(name).toString('utf8'));
  });

  test('the heartbeat says its version', () => {
    expect(parseNodeRecord(bytes('node.heartbeat.json'))).toMatchObject({ version: '0.1.0', claims: [{ task: 'job', epoch: 1 }] });
  });

  test('the marker of a hub is read and round-trips', () => {
    const record = parseFleetRecord(bytes('fleet.json'));
    expect(record.format).toBe(1);
    expect(renderFleetRecord(record)).toBe(bytes('fleet.json').toString('utf8'));
  });

  test.each(named('result.'))('%s is read as its outcome and round-trips', (name) => {
    const result = parseResult({ path: 'tasks/x.result.md', bytes: bytes(name) });
    if ('reason' in result) throw new Error(result.reason);
    expect(result.outcome).toBe(name.split('.')[1]);
    const text = bytes(name).toString('utf8');
    expect(renderResult(result, text.slice(text.indexOf('\n---\n') + 5))).toBe(text);
  });

  test('the spawn record and the roster are valid', () => {
    expect(spawnSchema.safeParse(JSON.parse(bytes('spawn.json').toString('utf8'))).error).toBeUndefined();
    expect(rosterSchema.safeParse(JSON.parse(bytes('roster.json').toString('utf8'))).error).toBeUndefined();
  });

  test('the settings that init wrote are in force without a word of complaint', () => {
    expect(parseFleetConfig(bytes('cambium.yaml'))).toMatchObject({ config: { agents: { 'worker-1': { role: 'worker', provider: 'runbook', handle: null } } }, warnings: [] });
  });

  test('the template is a task, and so is that of this version', () => {
    for (const text of [bytes('templates.task.md'), Buffer.from(packageFile('templates/task.md'))]) {
      expect(parseTask({ path: 'tasks/x.md', blob: OID, bytes: text })).not.toHaveProperty('reason');
    }
  });
});
