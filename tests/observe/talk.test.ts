import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMemoryStore } from '../../src/adapters/memory/store.ts';
import type { TreeEdit } from '../../src/model/git.ts';
import type { Oid } from '../../src/model/ids.ts';
import { mentionsIn } from '../../src/model/talk.ts';
import type { Message } from '../../src/model/talk.ts';
import type { HubView } from '../../src/observe/hubMirror.ts';
import { parseMessage } from '../../src/observe/messageFile.ts';
import { renderMessageFile } from '../../src/observe/renderMessageFile.ts';
import { createTalkReader } from '../../src/observe/talk.ts';

const ID = '01JD0ZB7QK';
const BY = { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0000' };
const sayIn = (channel: string, id: string): string => `---\nschema: cambium.message/1\nid: ${id}\nfrom: human:maria\nchannel: ${channel}\nat: 2026-11-21T00:52:10Z\n---\n@prime hello\n`;

async function readerOf() {
  const store = createMemoryStore();
  const read: Oid[] = [];
  const reader = createTalkReader({ ...store, readBlob: async (oid) => { read.push(oid); return store.readBlob(oid); } });
  const at = async (files: Readonly<Record<string, string>>): Promise<HubView> => {
    const edits = await Promise.all(Object.entries(files).map(async ([path, text]): Promise<[string, TreeEdit]> => [path, { mode: '100644', oid: await store.writeBlob(Buffer.from(text)) }]));
    const tree = await store.editTree(await store.writeTree([]), new Map(edits));
    return { main: await store.writeCommit({ tree, parents: [], author: BY, committer: BY, message: 'x\n' }), refs: new Map() } as unknown as HubView;
  };
  const ids = async (files: Readonly<Record<string, string>>): Promise<readonly string[]> => (await reader.read(await at(files))).conversations.flatMap(({ messages }) => messages.map(({ path }) => path));
  return { reader, at, ids, read };
}

test('a folder that is copied says nothing a second time: the same bytes elsewhere are no message', async () => {
  const { ids } = await readerOf();
  const text = sayIn('design', ID);
  expect(await ids({ [`agents/channels/design/${ID}.md`]: text, [`agents/channels/copy/${ID}.md`]: text })).toEqual([`agents/channels/design/${ID}.md`]);
  expect(await ids({ [`agents/channels/copy/${ID}.md`]: text, 'agents/channels/design/other.md': text })).toEqual([]);
  expect(await ids({ [`agents/channels/design/${ID}.md`]: text })).toEqual([`agents/channels/design/${ID}.md`]);
});

test('a file that was written anew is read anew', async () => {
  const { ids } = await readerOf();
  const path = `agents/channels/design/${ID}.md`;
  expect(await ids({ [path]: 'half of it' })).toEqual([]);
  expect(await ids({ [path]: sayIn('design', ID) })).toEqual([path]);
});

test('what has not changed is the same object and is not read again; of a new message only that is read', async () => {
  const { reader, at, read } = await readerOf();
  const files = { [`agents/channels/design/${ID}.md`]: sayIn('design', ID), [`agents/channels/ops/${ID}.md`]: sayIn('ops', ID) };
  const before = (await reader.read(await at(files))).conversations;
  read.length = 0;
  const after = (await reader.read(await at({ ...files, 'agents/channels/ops/01JD0ZB7QL.md': sayIn('ops', '01JD0ZB7QL') }))).conversations;
  expect(read.length).toBe(1);
  expect(after[0]).toBe(before[0]);
  expect(after[1]?.messages.length).toBe(2);
});

test('what is written can be read, whatever was said: an answer that nobody could read would be asked for for ever', () => {
  const nasty = fc.constantFrom('\0', '\r', '\r\n', '\ud800', '\ufeff', '---\n', '<<<<<<< HEAD\n', '>>>>>>> x\n', '<<<<<<<', '=======\n', '```\n', '@a ', ' ', '\u2028', 'x: y\n', '\u0085');
  const text = fc.array(fc.oneof(nasty, fc.string()), { maxLength: 12 }).map((parts) => parts.join(''));
  fc.assert(fc.property(text, (said) => {
    const message: Omit<Message, 'path'> = { id: ID, from: 'agent:prime', channel: 'design', to: [], mentions: mentionsIn(said), kind: 'say', replyTo: null, chain: ['prime'], hops: 1, thread: null, spawn: null, session: null, answers: ['01JD0ZB7QJ'], at: '2026-11-21T00:52:10Z', text: said };
    expect(parseMessage({ path: `agents/channels/design/${ID}.md`, bytes: Buffer.from(renderMessageFile(message)) })).toMatchObject({ answers: ['01JD0ZB7QJ'], from: 'agent:prime' });
  }), { numRuns: 300 });
});

test('a report that names thousands fills no front matter past what is read', () => {
  const text = Array.from({ length: 20_000 }, (_, at) => `@x${at}`).join(' ');
  const rendered = renderMessageFile({ id: ID, from: 'agent:prime', channel: 'design', to: [], mentions: mentionsIn(text), kind: 'say', replyTo: null, chain: [], hops: 1, thread: null, spawn: null, session: null, answers: [], at: 'now', text });
  expect(parseMessage({ path: `agents/channels/design/${ID}.md`, bytes: Buffer.from(rendered) })).toMatchObject({ from: 'agent:prime' });
});
