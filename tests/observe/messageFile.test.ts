import { describe, expect, test } from 'vitest';
import { fleetFileKind } from '../../src/observe/fleetFiles.ts';
import { isMessagePath, parseMessage } from '../../src/observe/messageFile.ts';
import { renderMessageFile } from '../../src/observe/renderMessageFile.ts';
import { messageSchema } from '../../src/observe/schemas.ts';

const PATH = 'agents/channels/design/01JD0ZB7QK.md';
const parse = (text: string, path = PATH) => parseMessage({ path, bytes: new TextEncoder().encode(text) });
/** Front matter with one JSON value a key: YAML holds all of them. */
const message = (fields: Readonly<Record<string, unknown>>, body = 'Which index?\n'): string => `---\n${Object.entries(fields).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`).join('')}---\n${body}`;

const SAID = { schema: 'cambium.message/1', id: '01JD0ZB7QK', from: 'human:maria', channel: 'design', mentions: ['prime', 'hailot'], kind: 'say', reply_to: null, chain: [], hops: 0, at: '2026-11-21T00:52:10Z' };

test('a message is read as docs/formats.md shows it', () => {
  const text = '---\nschema: cambium.message/1\nid: 01JD0ZB7QK\nfrom: human:maria        # agent:<id> | human:<name> | node:<id>\nchannel: design\nmentions: [prime, hailot]\nkind: say\nreply_to: null\nchain: []\nhops: 0\nat: 2026-11-21T00:52:10Z\n---\n@prime @hailot which index do we need?\n';
  expect(parse(text)).toEqual({
    path: PATH, id: '01JD0ZB7QK', from: 'human:maria', channel: 'design', to: [], mentions: ['prime', 'hailot'], kind: 'say', replyTo: null, chain: [], hops: 0, thread: null, spawn: null, session: null, answers: [], at: '2026-11-21T00:52:10Z', text: '@prime @hailot which index do we need?\n',
  });
});

test('what is unsaid has its default, and what is not known does not matter', () => {
  const { channel: _channel, mentions: _mentions, kind: _kind, reply_to: _replyTo, chain: _chain, hops: _hops, ...rest } = SAID;
  expect(parse(message({ ...rest, to: ['worker-1', 'worker-2'], mood: 'good' }), 'agents/worker-1/inbox/01JD0ZB7QK.md')).toMatchObject({ channel: null, to: ['worker-1', 'worker-2'], mentions: [], kind: 'say', replyTo: null, chain: [], hops: 0 });
});

describe('a message that cannot be trusted is set aside with the line', () => {
  test.each([
    ['no front matter', 'hello', 1, /schema/],
    ['a newer format', message({ ...SAID, schema: 'cambium.message/2' }), 2, /schema-too-new/],
    ['a speaker without a kind', message({ ...SAID, from: 'maria' }), 4, /from/],
    ['a reserved agent mentioned', message({ ...SAID, mentions: ['channels'] }), 6, /mentions\.0/],
    ['a role that is none', message({ ...SAID, mentions: ['role:No'] }), 6, /mentions\.0/],
    ['an answer to no id', message({ ...SAID, answers: ['../x'] }), 12, /answers\.0/],
    ['fewer than no hops', message({ ...SAID, hops: -1 }), 10, /hops/],
    ['an id that is not the name', message({ ...SAID, id: '01JD' }), 3, /must be 01JD0ZB7QK/],
    ['another channel than its folder', message({ ...SAID, channel: 'other' }), 5, /must be design/],
    ['a fence that names code', '---js\nprocess.exit(1)\n---\n', 1, /Line 1/],
    ['a NUL', 'a\0', 1, /NUL/],
  ])('%s', (_, text, line, reason) => {
    expect(parse(text)).toMatchObject({ path: PATH, line, reason: expect.stringMatching(reason), mend: expect.stringMatching(/./) });
  });

  test('an inbox that it is not for', () => {
    expect(parse(message({ ...SAID, channel: null, to: ['worker-2'] }), 'agents/worker-1/inbox/01JD0ZB7QK.md')).toMatchObject({ reason: '`to` must name worker-1, whose inbox it stands in.' });
  });
});

test('a question that is asked blind is read with its group and its moment, and written as it is read', () => {
  const text = message({ ...SAID, channel: null, to: ['worker-1'], group: '01JD0ZB7QG', as_of: 'a'.repeat(40) });
  const read = parse(text, 'agents/worker-1/inbox/01JD0ZB7QK.md');
  expect(read).toMatchObject({ group: '01JD0ZB7QG', asOf: 'a'.repeat(40) });
  if ('reason' in read) throw new Error(read.reason);
  expect(parse(renderMessageFile(read), read.path)).toEqual(read);
  expect(parse(message({ ...SAID, group: null, as_of: null }))).toEqual(parse(message(SAID)));
});

test('the parser and the schema agree key by key', () => {
  const odd = [undefined, null, '', 'x', 'Bad Id', 'a b', 'con', 'human', 'agent:', 'agent:x', 'node:vm ', 'ack', [], ['worker-1'], ['Bad'], [{}], {}, 'cambium.message/0', 'abcd'];
  for (const key of Object.keys({ ...SAID, to: [], group: '', as_of: '' })) {
    for (const value of odd) {
      const fields = JSON.parse(JSON.stringify({ ...SAID, [key]: value })) as Record<string, unknown>;
      const parsed = parse(message(fields));
      // Where it stands is the parser's own concern.
      const misplaced = 'reason' in parsed && /must be (?:01JD|design)/.test(parsed.reason);
      if (!misplaced) expect(messageSchema.safeParse(fields).success, `${key}: ${JSON.stringify(value)}`).toBe(!('reason' in parsed));
    }
  }
  for (const hops of [0, 7, -1, 1.5]) expect(messageSchema.safeParse({ ...SAID, hops }).success).toBe(!('reason' in parse(message({ ...SAID, hops }))));
});

describe('what a file is to the fleet', () => {
  test.each([
    [PATH, 'message'], ['agents/worker-1/inbox/01JD.md', 'message'], ['agents/channels/design/README.md', 'none'], ['agents/channels/Bad Name/x.md', 'none'], ['agents/channels/x.md', 'none'],
    ['agents/human/inbox/x.md', 'none'], ['agents/worker-1/outbox/x.md', 'none'], ['agents/channels/design/a/b.md', 'none'], ['agents/channels/design/_draft.md', 'none'], ['agents/channels/design/x.txt', 'none'],
    ['agents/worker-1.md', 'agent'], ['agents/README.md', 'none'], ['agents/_x.md', 'none'], ['agents/roster.json', 'roster'], ['agents/spawns/2026-11/01JD.json', 'spawn'], ['agents/spawns/2026-11/21/01JD.json', 'spawn'], ['agents/spawns/01JD.json', 'none'],
    ['cambium.yaml', 'config'], ['docs/cambium.yaml', 'none'], ['tasks/x.md', 'instruction'], ['tasks/x.result.md', 'result'], ['tasks/x.claim.json', 'claim'], ['tasks/README.md', 'none'], ['tasks/archive/2026-11/21/x.md', 'none'], ['memory/x.md', 'none'],
  ])('%s: %s', (path, kind) => {
    expect(fleetFileKind(path)).toBe(kind);
    expect(isMessagePath(path)).toBe(kind === 'message');
  });
});
