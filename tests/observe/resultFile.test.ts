import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TaskResult } from '../../src/model/task.ts';
import { parseResult, renderResult } from '../../src/observe/resultFile.ts';
import { instructionText } from '../../src/observe/taskFile.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const parse = (text: string) => parseResult({ path: 'tasks/add-login-k3f9.result.md', bytes: encode(text) });

const RESULT: TaskResult = {
  task: 'add-login-k3f9', outcome: 'done', epoch: 2, claim: 'ab12ab12', attempts: 1, agent: 'worker-1', node: 'vm-a', provider: 'claude', model: 'claude-sonnet',
  started: '2026-11-21T00:48:01Z', ended: '2026-11-21T00:51:40Z', usage: { input: 18200, cached: 9100, output: 2400 }, costUsd: 0.12, commits: ['4e1f0aa'],
  criteria: [{ text: 'Tests pass', met: true, evidence: 'npm test: 14 passed' }], verify: { command: 'npm test', exit: 0, seconds: 12.4 }, spawns: ['01JD0Z8M3N'],
};

test('a result is written as docs/formats.md shows it', () => {
  expect(renderResult(RESULT, '# Report\nLogin form added; 14 tests pass.')).toBe(`---
schema: cambium.result/1
outcome: done
epoch: 2
claim: ab12ab12
attempts: 1
agent: worker-1
node: vm-a
provider: claude
model: claude-sonnet
started: 2026-11-21T00:48:01Z
ended: 2026-11-21T00:51:40Z
usage: { input: 18200, cached: 9100, output: 2400 }
cost_usd: 0.12
commits: [4e1f0aa]
criteria: [{ text: Tests pass, met: true, evidence: "npm test: 14 passed" }]
verify: { command: npm test, exit: 0, seconds: 12.4 }
spawns: [01JD0Z8M3N]
---
# Report
Login form added; 14 tests pass.
`);
});

test('a cancel without a claim round-trips', () => {
  const cancelled: TaskResult = {
    ...RESULT, outcome: 'cancelled', epoch: 0, claim: null, attempts: 0, agent: null, node: null, provider: null, model: null, started: null, usage: null, costUsd: null, commits: [], criteria: [], verify: null, spawns: [],
  };
  expect(parse(renderResult(cancelled, ''))).toEqual(cancelled);
});

test('an object id that YAML takes for a number stays an object id', () => {
  const result = { ...RESULT, claim: '12e5432', commits: ['1234567', '0001e10', 'deadbeef'], model: '4.10', spawns: ['007', 'null', 'yes'] };
  const text = renderResult(result, 'x');
  expect(text).toContain('commits: ["1234567", "0001e10", deadbeef]');
  expect(parse(text)).toEqual(result);
  // Also where another tool wrote it without quotes.
  expect(parse(text.replace('"1234567"', '1234567').replace('"12e5432"', '12e5432'))).toEqual(result);
});

test('whatever an agent says comes back as it was said, from the same bytes', () => {
  const words = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom('a: b', '- x', '# no', '"q"', '\\', 'multi\nline\n', '---', '\u2028', '\u0085', '\ufeff', '{{x}}', '*a', '&a', '!t', '%', '@', '`', 'true', '~', '0x10', ' lead', 'trail ', '\ud800'));
  const result = fc.record({ criteria: fc.array(fc.record({ text: words, met: fc.boolean(), evidence: words }), { maxLength: 5 }), model: fc.option(words), command: words, spawns: fc.array(words, { maxLength: 3 }), report: words });
  fc.assert(fc.property(result, ({ criteria, model, command, spawns, report }) => {
    const said: TaskResult = { ...RESULT, criteria, model, spawns, verify: { command, exit: 1, seconds: 0 } };
    const text = renderResult(said, report);
    expect(parse(text)).toEqual(said);
    expect(renderResult(parse(text) as TaskResult, report)).toBe(text);
  }), { numRuns: 500 });
});

test('a report that the door would refuse is made harmless, not lost', () => {
  const text = renderResult(RESULT, '\ufeff# Report\r\n\0\n<<<<<<< HEAD\nmine\n=======\n>>>>>>> theirs\n---\nafter\n');
  expect(parse(text)).toEqual(RESULT);
  expect(instructionText(encode(text))).toBe('# Report\n\ufffd\n <<<<<<< HEAD\nmine\n=======\n >>>>>>> theirs\n---\nafter\n');
});

test('a report beyond the cap is cut between characters and says so', () => {
  const text = renderResult(RESULT, '任'.repeat(500_000));
  expect(encode(text).length).toBeLessThanOrEqual(1_048_576);
  expect(text).toMatch(/任\n\n\(The report was 1500000 bytes and is cut here\.\)\n$/);
  expect(parse(text)).toEqual(RESULT);
});

test('a thousand criteria with a page of evidence each still pass the door', () => {
  const criteria = Array.from({ length: 1_000 }, (_, at) => ({ text: `criterion ${at}`, met: true, evidence: 'e"\n'.repeat(2_000) }));
  const commits = Array.from({ length: 3_000 }, (_, at) => at.toString(16).padStart(40, 'a'));
  const parsed = parse(renderResult({ ...RESULT, criteria, commits }, 'x')) as TaskResult;
  expect(parsed.outcome).toBe('done');
  expect(parsed.criteria[0]?.text).toBe('criterion 0');
});

test('a newer format is refused by its name', () => {
  expect(parse(renderResult(RESULT, '').replace('cambium.result/1', 'cambium.result/2'))).toMatchObject({ line: 2, reason: expect.stringMatching(/^schema-too-new/) });
});

test('a missing key and a wrong one are named', () => {
  expect(parse(renderResult(RESULT, '').replace('epoch: 2\n', ''))).toMatchObject({ reason: '`epoch` must be a whole number of at least 0.' });
  expect(parse(renderResult(RESULT, '').replace('outcome: done', 'outcome: maybe'))).toMatchObject({ line: 3, reason: expect.stringContaining('outcome') });
});
