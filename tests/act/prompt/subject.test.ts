import { describe, expect, test } from 'vitest';
import { selfAndMemory } from '../../../src/act/prompt/subject.ts';
import { readableText } from '../../../src/act/prompt/readable.ts';
import { readTexts } from '../../../src/act/run/context.ts';
import { createMemoryStore } from '../../../src/adapters/memory/store.ts';
import type { MemoryStore } from '../../../src/adapters/memory/store.ts';
import type { TreeEdit } from '../../../src/model/git.ts';
import { shippedFile } from '../../../src/adapters/system/version.ts';
import { fileAt } from '../../../src/observe/tree.ts';
import { taskOf } from '../../support/spawnRequest.ts';

type Files = Readonly<Record<string, string | Uint8Array | { readonly symlink: string }>>;

async function commitOf(store: MemoryStore, files: Files): Promise<string> {
  const signature = { name: 'a', email: 'a@b', seconds: 0, zone: '+0000' };
  const edits = new Map<string, TreeEdit>();
  for (const [path, content] of Object.entries(files)) {
    const isLink = typeof content === 'object' && 'symlink' in content;
    edits.set(path, { mode: isLink ? '120000' : '100644', oid: await store.writeBlob(Buffer.from(isLink ? content.symlink : content)) });
  }
  return store.writeCommit({ tree: await store.editTree(await store.writeTree([]), edits), parents: [], author: signature, committer: signature, message: 'x' });
}

async function told(files: Files, { agent = 'worker-1', role = 'worker', constitution = null as string | null, shipped = (_path: string): string | null => null } = {}) {
  const store = createMemoryStore();
  return selfAndMemory({ store, commit: await commitOf(store, files), shipped }, agent, role, constitution);
}

const shown = (texts: readonly { readonly origin: string; readonly text: string }[]): readonly string[] => texts.map(({ origin, text }) => `${origin.replace(/ \(blob [0-9a-f]+\)/, '')} = ${text}`);

describe('what the tree says of an agent', () => {
  test('is its constitution, the fleet, itself, its role\'s page and its memory, each from its place', async () => {
    const { self, template, memory } = await told({
      'templates/constitutions/prime.md': 'law', 'self-model.md': 'fleet', 'agents/worker-1.md': 'own', 'agents/other.md': 'not mine', 'templates/WORKER_CLAUDE.md': 'page',
      'memory/worker-1/working.md': 'w', 'memory/worker-1/semantic.md': 's', 'memory/project/context.md': 'c', 'memory/project/active.md': 'a', 'memory/project/backlog.md': 'b', 'memory/other/working.md': 'o',
    }, { constitution: 'prime' });
    expect(shown(self)).toEqual(['templates/constitutions/prime.md = law', 'self-model.md = fleet', 'agents/worker-1.md = own']);
    expect(template?.text).toBe('page');
    expect(shown(memory)).toEqual(['memory/worker-1/working.md = w', 'memory/worker-1/semantic.md = s', 'memory/project/context.md = c', 'memory/project/active.md = a']);
    expect(self[0]?.origin).toMatch(/\(blob [0-9a-f]{40}\)$/);
  });

  test('is nothing where nothing is there', async () => {
    expect(await told({ 'README.md': 'x', 'agents/worker-1.md': ' \n' })).toEqual({ self: [], template: null, memory: [] });
  });

  test('names what else it has noted, newest first', async () => {
    const files = Object.fromEntries(Array.from({ length: 25 }, (_, at) => [`memory/worker-1/2026-11-${String(at + 1).padStart(2, '0')}-x.md`, 'note']));
    const { memory: [notes] } = await told({ ...files, 'memory/worker-1/episodes/2026-10/a.md': 'x' });
    expect(notes?.text.split('\n')).toHaveLength(21);
    expect(notes?.text).toMatch(/^episodes\/\n2026-11-25-x\.md\n[\s\S]*\nand 6 more$/);
  });

  test('never follows a symlink, nor a name that is no name', async () => {
    const files: Files = { 'agents/worker-1.md': { symlink: '/etc/passwd' }, 'memory/worker-1/working.md': { symlink: '../../secret' }, 'secret.md': 'secret', 'templates/constitutions/x/y.md': 'deep' };
    expect((await told(files)).memory).toEqual([]);
    for (const constitution of ['../../secret', 'x/y', '/etc/passwd', '..']) {
      const asked: string[] = [];
      const { self } = await told(files, { constitution, shipped: (path) => { asked.push(path); return null; } });
      expect(self).toMatchObject([{ text: '', note: expect.stringContaining('there is no such file') }]);
      expect(asked).toEqual(['templates/WORKER_CLAUDE.md']);
    }
  });

  test('has the constitutions and pages that come with cambium where the workspace has none of its own', async () => {
    const [mine, theirs] = [await told({ 'templates/constitutions/grounder.md': 'ours' }, { constitution: 'grounder', shipped: shippedFile }), await told({}, { constitution: 'grounder', role: 'coordinator', shipped: shippedFile })];
    expect(mine.self[0]).toMatchObject({ text: 'ours' });
    expect(theirs.self[0]?.origin).toBe('templates/constitutions/grounder.md (as it comes with cambium)');
    expect(theirs.self[0]?.text).toBe(shippedFile('templates/constitutions/grounder.md'));
    expect(theirs.template?.text).toContain('You are the coordinator');
    expect((await told({}, { role: 'nobody', shipped: shippedFile })).template).toBe(null);
  });

  test('is not read where it is too large or no text', async () => {
    const { self, memory } = await told({ 'self-model.md': new Uint8Array(2_000_000).fill(120), 'memory/worker-1/working.md': Uint8Array.from([80, 78, 71, 0, 1]) });
    expect([...self, ...memory]).toMatchObject([{ text: '', note: 'not shown: 2000000 bytes are too many to be read here' }, { text: '', note: 'not shown: 5 bytes that are no text' }]);
  });
});

test('context files are read by tree entry: no link, no folder, nothing outside; large and binary ones are named', async () => {
  const store = createMemoryStore();
  const commit = await commitOf(store, { 'a.md': 'a', 'big.bin': new Uint8Array(3_000_000), 'logo.png': Uint8Array.from([0, 1]), 'link.md': { symlink: 'a.md' }, 'd/x.md': 'x', 'd/up': { symlink: '../a.md' }, 'tasks/t.md': 'Do it.\n' });
  const contextFiles = ['a.md', 'big.bin', 'logo.png', 'link.md', 'd', 'd/up', '../a.md', 'd/../a.md', '/a.md', '.git/config'];
  const blob = (await fileAt(store, (await store.readCommit(commit)).tree, 'tasks/t.md'))?.oid ?? '';
  const { context, missing, instruction } = await readTexts(store, taskOf({ contextFiles, blob }), commit);
  expect(instruction).toBe('Do it.\n');
  expect(context).toMatchObject([{ path: 'a.md', text: 'a' }, { path: 'big.bin', text: '', note: 'not shown: 3000000 bytes are too many to be read here' }, { path: 'logo.png', text: '', note: 'not shown: 2 bytes that are no text' }]);
  expect(missing).toEqual(contextFiles.slice(3));
});

test.each([
  ['text', Buffer.from('größe'), { text: 'größe' }],
  ['a byte order mark', Buffer.from('\ufeffx'), { text: 'x' }],
  ['an older encoding', Buffer.from('Grüße aus dem Süden', 'latin1'), { text: 'Gr\ufffd\ufffde aus dem S\ufffdden', note: 'not UTF-8: what could not be read stands as \ufffd' }],
  ['bytes', Uint8Array.from([0xff, 0xfe, 0x41, 0xff]), { text: '', note: 'not shown: 4 bytes that are no text' }],
  ['nothing', new Uint8Array(), { text: '' }],
])('%s is read as such', (_name, bytes, read) => {
  expect(readableText(bytes)).toEqual(read);
});
