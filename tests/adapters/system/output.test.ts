import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { openOutputLog } from '../../../src/adapters/system/outputLog.ts';
import { lineRedactor, redact, secretValues } from '../../../src/adapters/system/redact.ts';
import { dueReason, nextLookMs } from '../../../src/adapters/system/watchdog.ts';
import { tempDir } from '../../support/temp.ts';

const folder = tempDir('output');
afterAll(() => folder.remove());
let made = 0;
const newPath = (): string => join(folder.path, `${made++}.log`);

describe('redaction', () => {
  test.each([
    'sk-ant-api03-abcdefghijklmnop', 'ghp_abcdefghijklmnopqrstuvwxyz0123456789', 'github_pat_11ABCDEFG0abcdefghijklmnop',
    'AKIAIOSFODNN7EXAMPLE', 'glpat-abcdefghijklmnopqrst', 'xoxb-1234567890-abcdef', 'AIzaSyA1234567890abcdefghijklmnopqrstuv',
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmnop',
  ])('%s is masked', (secret) => {
    expect(redact(`a ${secret} b`)).toBe('a [redacted] b');
    expect(redact(`{"key":"${secret}"}`)).toBe('{"key":"[redacted]"}');
  });

  test('a bearer token and the password of a URL are masked, what leads to them stays', () => {
    expect(redact('authorization: bearer abcdef123456')).toBe('authorization: bearer [redacted]');
    expect(redact('https://me:hunter2hunter2@example.org/x')).toBe('https://me:[redacted]@example.org/x');
  });

  test('ordinary text stays', () => {
    const text = 'task-k3f9 sk-x risk-assessment-of-the-century 4e1f0aa01JD0Z8M3N https://example.org:80/a@b The bearer of news';
    expect(redact(text)).toBe(text);
  });

  test('values of variables that are named as secrets are masked, the longest first, short ones not', () => {
    const secrets = secretValues({ A_TOKEN: 'abcdefgh', B_KEY: 'abcdefghij', DB_PASSWORD: 'yes', HOME: '/home/abcdefgh' });
    expect(secrets).toEqual(['abcdefghij', 'abcdefgh']);
    expect(redact('abcdefghij yes', secrets)).toBe('[redacted] yes');
  });

  test('the lines of a private key are masked one by one', () => {
    const mask = lineRedactor([]);
    const lines = ['x\n', '-----BEGIN RSA PRIVATE KEY-----\n', 'MIIEabc\n', 'def\n', '-----END RSA PRIVATE KEY-----\n', 'y\n'];
    expect(lines.map(mask).join('')).not.toMatch(/MIIE|def/);
    expect(mask('z\n')).toBe('z\n');
  });

  test('a private key in a line of JSON is masked within its text, and what follows is not', () => {
    const mask = lineRedactor([]);
    const found = JSON.stringify({ said: 'a.pem:1:-----BEGIN RSA PRIVATE KEY-----\nMIIEabc', next: 'kept' });
    expect(JSON.parse(mask(`${found}\n`))).toEqual({ said: 'a.pem:1:[redacted]', next: 'kept' });
    const whole = JSON.stringify({ said: 'k -----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- after', next: '-----END PRIVATE KEY-----' });
    expect(JSON.parse(mask(`${whole}\n`))).toEqual({ said: 'k [redacted] after', next: '-----END PRIVATE KEY-----' });
    expect(mask('{"type":"result"}\n')).toBe('{"type":"result"}\n');
  });
});

describe('the output log', () => {
  test('lines that are but a sign of life are left out, whole and wherever they come', () => {
    const path = newPath();
    const log = openOutputLog(path, 1e6, [], ['"type":"delta"']);
    const out = log.stream();
    out(Buffer.from('{"type":"start"}\n{"at":1,"type":"del'));
    out(Buffer.from('ta"}\n{"type":"delta"}\n'));
    out(Buffer.from('{"type":"end"}\n'));
    expect(log.finish()).toBe('{"type":"start"}\n{"type":"end"}\n');
    expect(readFileSync(path, 'utf8')).toBe('{"type":"start"}\n{"type":"end"}\n');
  });

  test('lines of the two streams are never mixed, however they arrive', () => {
    const path = newPath();
    const log = openOutputLog(path, 1e6, []);
    const [out, err] = [log.stream(), log.stream()];
    out(Buffer.from('{"type":"res'));
    err(Buffer.from('warning\n'));
    out(Buffer.from('ult"}\nlast'));
    expect(log.finish()).toBe('warning\n{"type":"result"}\nlast');
    expect(readFileSync(path, 'utf8')).toBe('warning\n{"type":"result"}\nlast');
  });

  test('however a text is cut into chunks, it is kept whole and its secrets are masked', () => {
    const text = 'é sk-abcdefghijklmnopqrstuvwxyz ✓\nnext ghp_abcdefghijklmnopqrstuvwxyz0123456789\n';
    const bytes = Buffer.from(text);
    fc.assert(fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
      const log = openOutputLog(newPath(), 1e6, []);
      const sink = log.stream();
      const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      for (let i = 1; i < at.length; i++) sink(bytes.subarray(at[i - 1], at[i]));
      return log.finish() === redact(text);
    }), { numRuns: 50 });
  });

  test('over its cap it keeps the beginning and the end', () => {
    const path = newPath();
    const log = openOutputLog(path, 400_000, []);
    const sink = log.stream();
    for (let line = 0; line < 100_000; line++) sink(Buffer.from(`line ${line}\n`));
    const tail = log.finish();
    const text = readFileSync(path, 'utf8');
    expect(text.startsWith('line 0\nline 1\n')).toBe(true);
    expect(text.endsWith('line 99999\n')).toBe(true);
    expect(text).toMatch(/\[cambium: \d+ bytes left out\]/);
    expect(text.length).toBeLessThan(420_000);
    expect(tail.endsWith('line 99999\n')).toBe(true);
    expect(Buffer.byteLength(tail)).toBeLessThanOrEqual(64 * 1024);
  });

  test('a line without an end is written all the same, and a secret on the cut is masked', () => {
    const log = openOutputLog(newPath(), 4e6, []);
    const sink = log.stream();
    for (let piece = 0; piece < 400; piece++) sink(Buffer.from(`${'x '.repeat(2000)}sk-abcdefghijklmnopqrstuvwxyz `));
    expect(log.finish()).not.toContain('sk-abc');
  });
});

describe('the watchdogs', () => {
  const watch = { startedMs: 1000, lastOutputMs: 1000, timeoutMs: 500, silenceMs: 300, deadlineMs: 2000 };

  test.each([
    [1299, null], [1300, 'silence'], [1500, 'timeout'], [2000, 'fenced'],
  ] as const)('at %i it is %s', (nowMs, reason) => expect(dueReason(watch, nowMs)).toBe(reason));

  test('output puts silence off, and a watchdog that is off never barks', () => {
    expect(dueReason({ ...watch, lastOutputMs: 1290 }, 1300)).toBeNull();
    expect(dueReason({ ...watch, silenceMs: null, timeoutMs: null }, 1999)).toBeNull();
  });

  test('the next look is never past what is due, and at least once a second', () => {
    expect(nextLookMs(watch, 1250)).toBe(50);
    expect(nextLookMs({ ...watch, silenceMs: null, timeoutMs: null, deadlineMs: 1e9 }, 1250)).toBe(1000);
  });
});
