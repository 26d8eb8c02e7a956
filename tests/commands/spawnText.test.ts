import { describe, expect, test } from 'vitest';
import { atWorkText } from '../../src/commands/atWork.ts';
import { costText } from '../../src/commands/cost.ts';
import { sinceTime } from '../../src/commands/spawn.ts';
import { chainText } from '../../src/commands/spawnChain.ts';
import { createLogText } from '../../src/commands/spawnLogText.ts';
import { costOf, count, dollars, fitTable, lasting, shortIds, since, stateText, subjectOf } from '../../src/commands/spawnText.ts';
import type { SpawnEvent } from '../../src/model/spawnEvent.ts';
import { costRows, costTotal } from '../../src/orient/costs.ts';
import { printable } from '../../src/workspace/plain.ts';
import { treesOf } from '../../src/workspace/spawnChain.ts';
import { meansId, pickId } from '../../src/workspace/spawns.ts';
import { factsOf, liveOf, seenOf, spawnId } from '../support/spawnRecords.ts';

describe('an id', () => {
  test('is meant by itself, its beginning or its end, in any case', () => {
    const id = '01M7ZCWXBKE4JX7FR5CT5S3T6T';
    expect(['01m7zcwxbke4jx7fr5ct5s3t6t', '01M7ZCWX', '5S3T6T', '5s3t6t'].map((ref) => meansId(ref, id))).toEqual([true, true, true, true]);
    expect(['6T', 'CWXBK', ''].map((ref) => meansId(ref, id))).toEqual([false, false, false]);
  });

  test('of a part that several have is asked for again, unless it is one of them', () => {
    const ids = ['01AAAAXXXX', '02BBBBXXXX', 'XXXX'];
    expect(pickId('xxxx', ids)).toBe('XXXX');
    expect(pickId('BBXXXX', ids)).toBe('02BBBBXXXX');
    expect(pickId('nobody', ids)).toBeNull();
    expect(() => pickId('XXXX', ids.slice(0, 2))).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test('is shortened to an end that no other of them has', () => {
    const [a, b, script] = ['01M7ZCWXBKE4JX7FR5CT5S3T6T', '01M7ZCWXBKE4JX7FR5AA5S3T6T', '01M7ZCWXBKE4JX7FR5CT5S3T6T-verify'] as const;
    expect(shortIds([a]).get(a)).toBe('5S3T6T');
    expect([...shortIds([a, b]).values()]).toEqual(['CT5S3T6T', 'AA5S3T6T']);
    expect(shortIds([script]).get(script)).toBe('5S3T6T-verify');
  });
});

test.each([[999, '0s'], [59_999, '59s'], [130_000, '2m10s'], [3_840_000, '1h04m'], [3 * 86_400_000, '3d']])('%d ms last %s', (ms, text) => expect(lasting(ms)).toBe(text));
test.each([[8_000, '8s'], [130_000, '2m'], [3_840_000, '1h'], [86_400_000, '1d']])('%d ms are an age of %s', (ms, text) => expect(since(ms)).toBe(text));
test.each([[0, '$0.00'], [0.0031, '$0.0031'], [0.12, '$0.120'], [12.5, '$12.50'], [null, '?']])('%j dollars are %s', (usd, text) => expect(dollars(usd)).toBe(text));
test.each([[0, '0'], [999, '999'], [18_200, '18.2k'], [99_960, '100k'], [1_250_000, '1.3M']])('%d tokens are %s', (tokens, text) => expect(count(tokens)).toBe(text));

describe('a spawn', () => {
  test('is told by what it is for and how it stands', () => {
    expect([seenOf(), seenOf({ task: null, channel: 'design', purpose: 'message' }), seenOf({ task: null, purpose: 'message' }), liveOf({ purpose: 'verify' })].map(subjectOf)).toEqual(['add-login', '#design', '@worker-1', 'verify add-login']);
    expect([seenOf(), seenOf({ outcome: 'failed', failure: 'rate_limit' }), liveOf({ state: 'stalled' }), seenOf({ outcome: null, exited: 'exit 0' })].map(stateText)).toEqual(['succeeded', 'failed: rate_limit', 'stalled', 'ended: exit 0']);
    expect([seenOf(), seenOf({ costUsd: null }), seenOf({ costUsd: null, provider: 'runbook' })].map(costOf)).toEqual(['$0.120', '?', '–']);
  });

  test('at work tells what it did last, and its task gives way before that', () => {
    const spawns = [liveOf({ task: 'a-task-with-a-very-long-name-indeed', quietMs: 12_000, start: '2026-11-21T00:50:00Z', last: { kind: 'tool', id: null, name: 'Bash', input: 'npm test -- --run tests/login.test.ts' } }), liveOf({ id: spawnId('b'), node: 'vm-b', here: false, quietMs: null })];
    const text = atWorkText(spawns, { self: 'vm-a', nowMs: Date.parse('2026-11-21T00:51:00Z'), width: 80 });
    expect(text.split('\n').every((line) => line.length <= 80)).toBe(true);
    expect(text).toMatch(/running +1m00s +12s ago: Bash npm test/);
    expect(text).toContain('worker-1@vm-b');
  });
});

describe('a table', () => {
  const rows = [['one', 'a long middle that may be cut', 'x', 'end'], ['two', 'short', '', 'end']];
  const columns = [{ head: 'A' }, { head: 'B', least: 8 }, { head: 'SPARE', spare: 1 }, { head: 'D', right: true }];
  test('is as wide as its cells where there is room', () => expect(fitTable(columns, rows, 100).split('\n')[1]).toBe('one  a long middle that may be cut  x      end'));
  test('leaves out what may be left out, then cuts what may be cut', () => {
    expect(fitTable(columns, rows, 42).split('\n')).toEqual(['A    B                                D', 'one  a long middle that may be cut  end', 'two  short                          end']);
    expect(fitTable(columns, rows, 20).split('\n')).toEqual(['A    B             D', 'one  a long mi…  end', 'two  short       end']);
  });
  test('cuts a column that can be spared before it leaves it out', () => {
    const spare = [{ head: 'A' }, { head: 'BY', least: 4, spare: 1 }];
    expect(fitTable(spare, [['one', 'claude-opus']], 12).split('\n')[1]).toBe('one  claude…');
    expect(fitTable(spare, [['one', 'claude-opus']], 8).split('\n')[1]).toBe('one');
  });
  test('has no column in which nobody has anything to say', () => expect(fitTable(columns, rows.map(([a, b, , d]) => [a, b, '', d] as string[]), 100)).not.toContain('SPARE'));
});

describe('a chain', () => {
  const tree = [seenOf({ id: spawnId('root'), agent: 'lead', start: '2026-11-21T10:00:00Z', end: '2026-11-21T10:02:10Z' }), liveOf({ id: spawnId('kid1'), parent: spawnId('root'), depth: 1, start: '2026-11-21T10:01:00Z', task: 'shout' }), seenOf({ id: spawnId('kid2'), agent: 'rita', parent: spawnId('root'), depth: 1, start: '2026-11-21T10:01:30Z', end: '2026-11-21T10:01:38Z', node: 'vm-b', outcome: 'failed', failure: 'crashed' }), seenOf({ id: spawnId('grand'), parent: spawnId('kid1'), depth: 2, start: '2026-11-21T10:01:40Z', end: '2026-11-21T10:02:00Z' })];

  test('is drawn by parents, oldest child first', () => {
    const roots = treesOf(tree.toReversed());
    const text = chainText({ roots, totals: { spawns: 4, live: 1, usage: null, costUsd: 0.36, unknownCosts: 1 }, asked: spawnId('kid1'), cut: false }, { nowMs: Date.parse('2026-11-21T10:02:00Z'), self: 'vm-a', width: 100 });
    expect(text.split('\n').map((line) => line.trimEnd())).toEqual([
      'AGENT           STATE            FOR        BEGAN      TOOK    COST  ID',
      'lead            succeeded        add-login  10:00:00  2m10s  $0.120  00ROOT',
      '├─ worker-1 ◀   running          shout      10:01:00  1m00s       ?  00KID1',
      '│  └─ worker-1  succeeded        add-login  10:01:40    20s  $0.120  0GRAND',
      '└─ rita@vm-b    failed: crashed  add-login  10:01:30     8s  $0.120  00KID2',
      '', '4 spawns in 1 chain, 1 live · no tokens told · $0.360 and 1 of unknown cost',
    ]);
  });

  test('whose parents go in a circle is cut where it closes, and one whose parent nobody knows begins there', () => {
    const circle = [seenOf({ id: 'A', parent: 'B', start: '2026-11-21T10:00:00Z' }), seenOf({ id: 'B', parent: 'A', start: '2026-11-21T10:00:01Z' }), seenOf({ id: 'C', parent: 'gone' }), seenOf({ id: 'D', parent: 'D' })];
    const shape = (node: ReturnType<typeof treesOf>[number]): string => `${node.spawn.id}(${node.children.map(shape).join()})`;
    expect(treesOf(circle).map(shape).toSorted()).toEqual(['A(B())', 'C()', 'D()']);
  });

  test('that is deeper than any fleet makes one does not exhaust whoever reads it', () => {
    const deep = Array.from({ length: 20_000 }, (_, at) => seenOf({ id: `S${at}`, parent: at === 0 ? null : `S${at - 1}`, start: new Date(at * 1_000).toISOString() }));
    expect(treesOf(deep).length).toBeGreaterThan(100);
  });
});

describe('a log', () => {
  const render = (events: readonly SpawnEvent[], width = 60): readonly string[] => {
    const text = createLogText({ width, foldLines: 3 });
    return events.flatMap((event) => text(event));
  };
  const result = (output: string, ok = true, id = 't1'): SpawnEvent => ({ kind: 'tool_result', id, ok, output });
  const tool = (name: string, input: string, id = 't1'): SpawnEvent => ({ kind: 'tool', id, name, input });

  test('tells what was said, which tool was called, and what came of it', () => {
    expect(render([
      { kind: 'start', session: 's-1', model: 'claude-sonnet' }, { kind: 'text', text: 'I look.\nThen I write.\n' }, tool('Bash', 'npm test'), result('14 passed'), tool('Edit', 'a.ts'), result(''),
      { kind: 'usage', usage: { input: 300, cached: 200, output: 70 }, costUsd: 0.0026, cumulative: false }, { kind: 'text', text: 'It is done.' }, { kind: 'end', ok: true, text: 'It is done.', turns: 3 },
    ])).toEqual(['▶ claude-sonnet · session s-1', 'I look.', 'Then I write.', '● Bash npm test', '  ⎿ 14 passed', '● Edit a.ts', '  ⎿ (no output)', 'It is done.', '■ done after 3 turns · 300 in (200 cached) · 70 out · $0.0026']);
  });

  test('folds long outputs: of one that went well the beginning is shown, of one that failed the end', () => {
    const long = Array.from({ length: 10 }, (_, at) => `line ${at}`).join('\n');
    expect(render([result(long)])).toEqual(['  ⎿ line 0', '    line 1', '    line 2', '    … 7 more lines']);
    expect(render([result(long, false)])).toEqual(['  ✗ … 7 more lines', '    line 7', '    line 8', '    line 9']);
    expect(render([result('1\n2\n3\n4')])).toHaveLength(4);
    expect(render([result('x'.repeat(500))])[0]).toHaveLength(58);
  });

  test('names the tool of a result that comes after another call', () => {
    expect(render([tool('Read', 'a', 'r'), tool('Bash', 'b', 'b'), result('of a', true, 'r'), result('of b', true, 'b')])).toEqual(['● Read a', '● Bash b', '  ⎿ Read: of a', '  ⎿ of b']);
  });

  test('tells limits, warnings, errors and a bad end', () => {
    expect(render([
      { kind: 'limit', failure: 'rate_limit', resetAt: '2026-11-21T12:00:00Z', text: 'too many\nrequests' }, { kind: 'error', failure: null, text: 'denied: rm' }, { kind: 'error', failure: 'auth', text: 'no key' }, { kind: 'end', ok: false, text: 'no key', turns: null },
    ])).toEqual(['! rate limit until 2026-11-21T12:00:00Z: too many requests', '! warning: denied: rm', '✗ auth: no key', 'no key', '■ failed']);
  });

  test('never lets an agent drive the terminal', () => {
    const evil = '\u001b]0;title\u0007\u001b[2J\u001b[1;1Hhome\u0007\u009b31m\u202eevil\r\nnext\rover\u001bPdcs\u001b\\!';
    const all = [{ kind: 'start', session: evil, model: evil }, { kind: 'text', text: evil }, tool(evil, evil), result(evil), { kind: 'error', failure: null, text: evil }, { kind: 'limit', failure: 'overloaded', resetAt: evil, text: evil }, { kind: 'end', ok: true, text: evil, turns: 1 }] as readonly SpawnEvent[];
    // oxlint-disable-next-line no-control-regex -- what must not be there
    expect(render(all).filter((line) => /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/.test(line))).toEqual([]);
    expect(printable(evil)).toBe('homeevil\nover!');
  });
});

describe('costs', () => {
  test('that nobody told are never shown as none', () => {
    const spawns = [factsOf(), factsOf({ agent: 'rita', costUsd: null }), factsOf({ agent: 'bob', provider: 'runbook', costUsd: null, usage: null })];
    expect(costText({ by: 'agent', since: null, rows: costRows(spawns, 'agent'), total: costTotal(spawns), unread: [] }, 80).split('\n')).toEqual([
      'AGENT     SPAWNS  INPUT  OF IT CACHED  OUTPUT      COST',
      'worker-1       1  18.2k          9.1k    2.4k    $0.120',
      'rita           1  18.2k          9.1k    2.4k   unknown',
      'bob            1      –             –       –         –',
      'all            3  36.4k         18.2k    4.8k  $0.120 +',
      '', 'One spawn tells no dollars: what it costs comes on top (+).',
    ]);
  });

  test.each([['30m', '2026-11-21T09:30:00.000Z'], ['7d', '2026-11-14T10:00:00.000Z'], ['2026-11-01', '2026-11-01T00:00:00.000Z']])('since %s', (text, time) => expect(sinceTime(text, new Date('2026-11-21T10:00:00Z'))).toBe(time));
  test.each(['soon', '', '5', '5y', 'May'])('since %j is refused', (text) => expect(() => sinceTime(text, new Date('2026-11-21T10:00:00Z'))).toThrow(expect.objectContaining({ code: 'usage' })));
});
