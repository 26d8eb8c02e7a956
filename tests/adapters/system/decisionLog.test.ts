import { appendFileSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createMemoryDecisionLog } from '../../../src/adapters/memory/decisionLog.ts';
import { openDecisionLog } from '../../../src/adapters/system/decisionLog.ts';
import { decided, decisionLogContract, readAll } from '../../contracts/decisionLog.ts';
import { startProgram } from '../../support/program.ts';
import { distDir } from '../../support/build.ts';
import { tempDir } from '../../support/temp.ts';
import type { TempDir } from '../../support/temp.ts';

const dirs: TempDir[] = [];
const folder = (): string => {
  const dir = tempDir('decisions');
  dirs.push(dir);
  return join(dir.path, 'cambium/decisions');
};
afterEach(() => dirs.splice(0).forEach((dir) => dir.remove()));

decisionLogContract('files', () => {
  const dir = folder();
  return { open: () => openDecisionLog(dir) };
});
decisionLogContract('memory', () => {
  const lines: ReturnType<typeof decided>[] = [];
  return { open: () => createMemoryDecisionLog(lines) };
});

describe('the files of a decision log', () => {
  test('are one a UTC day, a line a decision, for their owner only', () => {
    const dir = folder();
    const log = openDecisionLog(dir);
    log.append(decided('2026-11-20T23:59:59.999Z'));
    log.append(decided('2026-11-21T00:00:00.000Z'));
    log.append(decided('2026-11-21T00:00:01.000Z'));
    expect(readdirSync(dir)).toEqual(['2026-11-20.jsonl', '2026-11-21.jsonl']);
    expect(readFileSync(join(dir, '2026-11-21.jsonl'), 'utf8').trimEnd().split('\n').map((line) => (JSON.parse(line) as { at: string }).at)).toEqual(['2026-11-21T00:00:00.000Z', '2026-11-21T00:00:01.000Z']);
    expect(statSync(join(dir, '2026-11-21.jsonl')).mode & 0o777).toBe(0o600);
  });

  test('are kept for 30 days, and other files are nobody\'s business', () => {
    const dir = folder();
    mkdirSync(dir, { recursive: true });
    for (const name of ['2026-10-22.jsonl', '2026-10-23.jsonl', '2025-01-01.jsonl', 'notes.txt']) writeFileSync(join(dir, name), '');
    openDecisionLog(dir).append(decided('2026-11-21T10:00:00.000Z'));
    expect(readdirSync(dir).toSorted()).toEqual(['2026-10-23.jsonl', '2026-11-21.jsonl', 'notes.txt']);
  });

  test('take no more than a day may have', async () => {
    const dir = folder();
    const log = openDecisionLog(dir, 1_000);
    for (let count = 0; count < 50; count++) log.append(decided('2026-11-21T10:00:00.000Z'));
    expect(statSync(join(dir, '2026-11-21.jsonl')).size).toBeLessThanOrEqual(1_000);
    expect((await readAll(log)).length).toBeGreaterThan(3);
  });

  test('mask what looks like a credential, and cut a reason that never ends', async () => {
    const log = openDecisionLog(folder());
    log.append(decided('2026-11-21T10:00:00.000Z', { reason: 'the hub said: https://maria:hunter2secret@example.org denied' }));
    log.append(decided('2026-11-21T10:00:01.000Z', { reason: 'x'.repeat(10_000) }));
    const [long, masked] = await readAll(log);
    expect(masked?.reason).toBe('the hub said: https://maria:[redacted]@example.org denied');
    expect(long?.reason).toHaveLength(2_000);
  });

  test('lose nothing but the line that a crash cut short', async () => {
    const dir = folder();
    openDecisionLog(dir).append(decided('2026-11-21T10:00:00.000Z'));
    appendFileSync(join(dir, '2026-11-21.jsonl'), '{"at":"2026-11-21T10:00:01');
    openDecisionLog(dir).append(decided('2026-11-21T10:00:02.000Z'));
    appendFileSync(join(dir, '2026-11-21.jsonl'), 'null\n{"at":1}\n');
    expect((await readAll(openDecisionLog(dir))).map(({ at }) => at)).toEqual(['2026-11-21T10:00:02.000Z', '2026-11-21T10:00:00.000Z']);
  });

  test('that cannot be written cost the line and not the pass', () => {
    const dir = folder();
    mkdirSync(join(dir, '..'), { recursive: true });
    writeFileSync(dir, 'a file where the folder should be');
    expect(() => openDecisionLog(dir).append(decided('2026-11-21T10:00:00.000Z'))).not.toThrow();
  });

  test('hold whole lines of several processes that write at once, and of one that is killed at once', async () => {
    const dir = folder();
    const source = `
      import { openDecisionLog } from '${distDir()}/adapters/system/decisionLog.js';
      const log = openDecisionLog(process.env.DIR);
      for (let count = 0; count < 200; count++) log.append({ at: '2026-11-21T10:00:00.000Z', node: process.env.NODE_NAME, cycle: 'c', kind: 'claim', task: 't' + count, agent: null, epoch: 1, reason: 'r'.repeat(500) });
      process.stdout.write('written\\n');
      setInterval(() => undefined, 1_000);
    `;
    const programs = ['vm-a', 'vm-b', 'vm-c'].map((node) => startProgram(source, { DIR: dir, NODE_NAME: node }));
    await Promise.all(programs.map(async (program) => {
      await program.line();
      await program.end('SIGKILL');
    }));
    const records = await readAll(openDecisionLog(dir));
    expect(records).toHaveLength(600);
    expect(new Set(records.map(({ node, task }) => `${node} ${task}`)).size).toBe(600);
  });
});
