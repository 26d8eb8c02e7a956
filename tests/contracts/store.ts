/** What every Store must do. An implementation runs it with one call; the world it makes is removed after each test. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CommitDraft, FileMode, Signature, TreeEdit, TreeEntry } from '../../src/model/git.ts';
import type { Oid } from '../../src/model/ids.ts';
import type { Store } from '../../src/ports/store.ts';

export interface StoreWorld {
  readonly store: Store;
  remove(): Promise<void>;
}

export interface StoreContractOptions {
  /** Random cases a property is tried with: fewer where each write reaches a disk. */
  readonly runs: number;
}

/** Paths and contents; how the tests write trees down. */
export type Files = Readonly<Record<string, string>>;

export const SOMEONE: Signature = { name: 'Zoë Ångström', email: 'zoe@example.org', seconds: 1_790_000_000, zone: '+0100' };

export async function blobEntry(store: Store, text: string, mode: FileMode = '100644'): Promise<{ mode: FileMode; oid: Oid }> {
  return { mode, oid: await store.writeBlob(Buffer.from(text)) };
}

export async function writeFiles(store: Store, files: Files): Promise<Oid> {
  const edits = await Promise.all(Object.entries(files).map(async ([path, text]) => [path, await blobEntry(store, text)] as const));
  return store.editTree(await store.writeTree([]), new Map(edits));
}

export async function readFiles(store: Store, tree: Oid, prefix = ''): Promise<Files> {
  const parts = await Promise.all((await store.readTree(tree)).map(async ({ mode, name, oid }): Promise<Files> =>
    mode === '40000'
      ? readFiles(store, oid, `${prefix}${name}/`)
      : { [`${prefix}${name}`]: Buffer.from(await store.readBlob(oid)).toString('utf8') }));
  return Object.assign({}, ...parts) as Files;
}

export async function commitOn(store: Store, parents: readonly Oid[], extra: Partial<CommitDraft> = {}): Promise<Oid> {
  const tree = await store.writeTree([]);
  return store.writeCommit({ tree, parents, author: SOMEONE, committer: SOMEONE, message: `after ${parents.length}\n`, ...extra });
}

/** Commits named by letters: each line is a name and its parents, times rising from line to line. */
async function dag(store: Store, lines: readonly string[]): Promise<(name: string) => Oid> {
  const oids = new Map<string, Oid>();
  const of = (name: string): Oid => oids.get(name) ?? expect.fail(`no commit ${name}`);
  for (const [index, line] of lines.entries()) {
    const [name, ...parents] = line.split(' ') as [string, ...string[]];
    const committer = { ...SOMEONE, seconds: SOMEONE.seconds + index };
    oids.set(name, await commitOn(store, parents.map(of), { committer, message: `${name}\n` }));
  }
  return of;
}

async function messages(log: Promise<readonly { readonly message: string }[]>): Promise<string[]> {
  return (await log).map(({ message }) => message.trim());
}

/** Twelve lines, some of them changed. */
function lines(changes: Readonly<Record<number, string>>): string {
  return Array.from({ length: 12 }, (_, index) => `${changes[index] ?? `line ${index}`}\n`).join('');
}

const EVIL = ['', '.', '..', '.git', '.GIT', '.giT', 'a\0b', '.git ', '.git.', 'git~1', 'GIT~1', '.g\u200cit', '.git::$INDEX_ALLOCATION', 'x\\.git'];
const NOWHERE = { sha1: '1'.repeat(40), sha256: '1'.repeat(64) };

/** Short names, so that files and folders of one name meet. */
const NAME = fc.constantFrom('a', 'a.b', 'a-b', 'ab', 'é', '\u{1f600}', '\uffee', 'Z');
const PATH = fc.array(NAME, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const MODE = fc.constantFrom<FileMode>('100644', '100755', '120000');

/** One step of a random history of a tree: paths removed, then paths set. A set path wins over what is in its way. */
const STEP = fc.record({ gone: fc.array(PATH, { maxLength: 3 }), set: fc.array(fc.tuple(PATH, fc.nat(5), MODE), { maxLength: 4 }) });
export const STEPS = fc.array(STEP, { minLength: 1, maxLength: 4 });
export type Steps = typeof STEPS extends fc.Arbitrary<infer T> ? T : never;

/** The naive model: a map of whole paths. */
export function applyNaively(model: Map<string, string>, step: Steps[number]): void {
  for (const path of step.gone) {
    for (const known of model.keys()) if (known === path || known.startsWith(`${path}/`)) model.delete(known);
  }
  for (const [path, content, mode] of step.set) {
    for (const known of model.keys()) if (known.startsWith(`${path}/`) || path.startsWith(`${known}/`)) model.delete(known);
    model.set(path, `${mode} ${content}`);
  }
}

/** The same step as edits; sets that would clash with an earlier set of the step are left out. */
export async function asEdits(store: Store, step: Steps[number]): Promise<{ step: Steps[number]; edits: Map<string, TreeEdit> }> {
  const set = step.set.filter(([path], index) => !step.set.slice(0, index).some(([other]) => other === path || other.startsWith(`${path}/`) || path.startsWith(`${other}/`)));
  const gone = step.gone.filter((path) => !set.some(([other]) => other === path));
  const edits = new Map<string, TreeEdit>(gone.map((path) => [path, null]));
  for (const [path, content, mode] of set) edits.set(path, await blobEntry(store, String(content), mode));
  return { step: { gone, set }, edits };
}

async function flatten(store: Store, tree: Oid, prefix = ''): Promise<[string, string][]> {
  const entries = await store.readTree(tree);
  const parts = await Promise.all(entries.map(async ({ mode, name, oid }): Promise<[string, string][]> =>
    mode === '40000' ? flatten(store, oid, `${prefix}${name}/`) : [[`${prefix}${name}`, `${mode} ${Buffer.from(await store.readBlob(oid)).toString('utf8')}`]]));
  return parts.flat();
}

export function storeContract(title: string, create: () => Promise<StoreWorld>, { runs }: StoreContractOptions): void {
  describe(title, () => {
    let world: StoreWorld;
    let store: Store;
    beforeEach(async () => {
      world = await create();
      store = world.store;
    });
    afterEach(() => world.remove());

    describe('objects', () => {
      test.each([['nothing', Buffer.alloc(0)], ['text', Buffer.from('hello\n')], ['every byte', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))], ['three megabytes', Buffer.alloc(3_000_000, 'cambium\n')]])(
        'a blob of %s comes back as it was written', async (_, bytes) => {
          const oid = await store.writeBlob(bytes);
          expect(oid).toBe(store.hashBlob(bytes));
          expect(Buffer.from(await store.readBlob(oid)).equals(bytes)).toBe(true);
          expect(await store.sizeOf(oid)).toBe(bytes.length);
          expect(await store.has(oid)).toBe(true);
        });

      test('oids are those of git', async () => {
        const known = store.objectFormat === 'sha1'
          ? { blob: 'ce013625030ba8dba906f756967f9e9ca394464a', tree: '4b825dc642cb6eb9a060e54bf8d69288fbee4904' }
          : { blob: '2cf8d83d9ee29543b34a87727421fdecb7e3f3a183d337639025de576db9ebb4', tree: '6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321' };
        expect(await store.writeBlob(Buffer.from('hello\n'))).toBe(known.blob);
        expect(await store.writeTree([])).toBe(known.tree);
      });

      test.each(['readBlob', 'readTree', 'readCommit', 'sizeOf'] as const)('%s of what is not there says object-missing', async (method) => {
        for (const oid of [NOWHERE[store.objectFormat], '', 'refs/heads/main', 'ce01362']) {
          await expect(store[method](oid)).rejects.toMatchObject({ code: 'object-missing' });
          expect(await store.has(oid)).toBe(false);
        }
      });

      test('an object is not taken for one of another kind', async () => {
        const blob = await store.writeBlob(Buffer.from('text'));
        await expect(store.readTree(blob)).rejects.toMatchObject({ code: 'object-missing' });
        await expect(store.readBlob(await store.writeTree([]))).rejects.toMatchObject({ code: 'object-missing' });
      });

      test('what a caller does to bytes it read changes nothing', async () => {
        const oid = await store.writeBlob(Buffer.from('text'));
        (await store.readBlob(oid)).fill(0);
        expect(Buffer.from(await store.readBlob(oid)).toString()).toBe('text');
      });

      test('many writes at once, some of the same content, all arrive', async () => {
        const texts = Array.from({ length: 60 }, (_, index) => `blob ${index % 40}`);
        const oids = await Promise.all(texts.map((text) => store.writeBlob(Buffer.from(text))));
        expect(new Set(oids).size).toBe(40);
        const read = await Promise.all(oids.map((oid) => store.readBlob(oid)));
        expect(read.map((bytes) => Buffer.from(bytes).toString())).toEqual(texts);
      });

      test('a store that was closed works on', async () => {
        const oid = await store.writeBlob(Buffer.from('text'));
        await store.close();
        expect(Buffer.from(await store.readBlob(oid)).toString()).toBe('text');
        const commit = await commitOn(store, []);
        expect(await store.updateRefs([{ ref: 'refs/heads/main', expect: null, to: commit }], 'test')).toBe(true);
        await store.close();
        expect(await store.readRef('refs/heads/main')).toBe(commit);
      });
    });

    describe('trees', () => {
      test('entries stand in the order of git: bytes, folders as if they ended in a slash', async () => {
        const file = await blobEntry(store, 'x');
        const folder = { mode: '40000' as const, oid: await writeFiles(store, { f: 'x' }) };
        const names = ['b', 'a', 'a.b', 'a0', 'a-b', '\u{1f600}', '\uffee', 'é'];
        const entries: TreeEntry[] = names.map((name) => ({ name, ...(name === 'a' ? folder : file) }));
        const read = await store.readTree(await store.writeTree(entries));
        expect(read.map(({ name }) => name)).toEqual(['a-b', 'a.b', 'a', 'a0', 'b', 'é', '\uffee', '\u{1f600}']);
        expect(read.find(({ name }) => name === 'a')).toEqual({ name: 'a', ...folder });
      });

      test.each(EVIL)('the name %j is refused', async (name) => {
        const file = await blobEntry(store, 'x');
        const root = await store.writeTree([]);
        await expect(store.writeTree([{ name, ...file }])).rejects.toMatchObject({ code: 'bad-file' });
        await expect(store.editTree(root, new Map([[`tasks/${name}`, file]]))).rejects.toMatchObject({ code: 'bad-file' });
        await expect(store.editTree(root, new Map([[`${name}/x.md`, file]]))).rejects.toMatchObject({ code: 'bad-file' });
      });

      test.each(['.gitignore', '.github', 'git', '..x', '.gitkeep', 'legit~1', 'a\\b'])('the name %j is allowed', async (name) => {
        const tree = await store.writeTree([{ name, ...(await blobEntry(store, 'x')) }]);
        expect((await store.readTree(tree)).map((entry) => entry.name)).toEqual([name]);
      });

      test('two entries of one name are refused', async () => {
        const file = await blobEntry(store, 'x');
        await expect(store.writeTree([{ name: 'a', ...file }, { name: 'a', mode: '40000', oid: await store.writeTree([]) }])).rejects.toMatchObject({ code: 'internal' });
      });
    });

    describe('commits', () => {
      test('a commit comes back as it was written', async () => {
        const [first, second] = [await commitOn(store, []), await commitOn(store, [], { message: 'other\n' })];
        const draft: CommitDraft = {
          tree: await writeFiles(store, { a: 'x' }), parents: [first, second], author: SOMEONE,
          committer: { name: 'vm-a', email: 'node@vm-a', seconds: 0, zone: '-0930' }, message: 'tâche: claim\n\nWarum — därum.\n\nKind: claim\nno newline at the end',
        };
        const oid = await store.writeCommit(draft);
        expect(await store.readCommit(oid)).toEqual({ oid, ...draft });
      });

      test('a name that would break the header is made harmless', async () => {
        const author = { name: 'Eve <root@hub> 0 +0000\nparent', email: '<e>\nx>', seconds: -5, zone: 'CET' };
        const read = await store.readCommit(await commitOn(store, [], { author, committer: { ...author, name: '\n' }, message: 'a\0b\n' }));
        expect(read.author).toEqual({ name: 'Eve root@hub 0 +0000 parent', email: 'e x', seconds: 0, zone: '+0000' });
        expect(read.committer.name).toBe('unknown');
        expect(read.message).toBe('ab\n');
      });
    });

    describe('editTree', () => {
      const edit = async (files: Files, edits: Readonly<Record<string, string | null>>): Promise<Oid> => {
        const made = await Promise.all(Object.entries(edits).map(async ([path, text]): Promise<[string, TreeEdit]> => [path, text === null ? null : await blobEntry(store, text)]));
        return store.editTree(await writeFiles(store, files), new Map(made));
      };

      test.each<[string, Files, Readonly<Record<string, string | null>>, Files]>([
        ['a new file makes its folders', {}, { 'a/b/c': '1' }, { 'a/b/c': '1' }],
        ['other files stay', { 'a/x': '1', 'b/y': '2' }, { 'a/x': '3' }, { 'a/x': '3', 'b/y': '2' }],
        ['folders left empty vanish', { 'a/b/c': '1', d: '2' }, { 'a/b/c': null }, { d: '2' }],
        ['the last file leaves the empty tree', { 'a/b': '1' }, { 'a/b': null }, {}],
        ['removing what is not there changes nothing', { a: '1' }, { 'a/b/c': null, x: null, 'y/z': null }, { a: '1' }],
        ['a removed folder takes all below', { 'a/b': '1', 'a/c/d': '2', e: '3' }, { a: null }, { e: '3' }],
        ['a file gives way to a folder', { a: '1' }, { 'a/b': '2' }, { 'a/b': '2' }],
        ['a folder gives way to a file', { 'a/b': '1', 'a/c': '1' }, { a: '2' }, { a: '2' }],
        ['a folder is replaced as a whole', { 'a/b': '1' }, { a: null, 'a/c': '2' }, { 'a/c': '2' }],
        ['a move is one edit', { 'tasks/a.md': '1' }, { 'tasks/a.md': null, 'tasks/archive/a.md': '1' }, { 'tasks/archive/a.md': '1' }],
      ])('%s', async (_, files, edits, result) => {
        const edited = await edit(files, edits);
        expect(await readFiles(store, edited)).toEqual(result);
        expect(edited).toBe(await writeFiles(store, result));
      });

      test('without a change the oid stays', async () => {
        const root = await writeFiles(store, { 'a/b': '1' });
        expect(await store.editTree(root, new Map())).toBe(root);
        expect(await store.editTree(root, new Map([['a/b', await blobEntry(store, '1')], ['a/x/y', null]]))).toBe(root);
      });

      test('a folder can be set by its oid and edited in the same step', async () => {
        const folder = await writeFiles(store, { x: '1', y: '2' });
        const root = await store.editTree(await store.writeTree([]), new Map<string, TreeEdit>([['d', { mode: '40000', oid: folder }], ['d/y', null], ['e', { mode: '40000', oid: await store.writeTree([]) }]]));
        expect(await readFiles(store, root)).toEqual({ 'd/x': '1' });
        expect((await store.readTree(root)).map(({ name }) => name)).toEqual(['d']);
      });

      test('one path cannot become a file and a folder', async () => {
        const file = await blobEntry(store, 'x');
        await expect(store.editTree(await store.writeTree([]), new Map([['a', file], ['a/b', file]]))).rejects.toMatchObject({ code: 'bad-file' });
      });

      test('random edits give the tree of a naive model, and that of writing it afresh', async () => {
        await fc.assert(fc.asyncProperty(STEPS, async (steps) => {
          const model = new Map<string, string>();
          let root = await store.writeTree([]);
          for (const given of steps) {
            const { step, edits } = await asEdits(store, given);
            applyNaively(model, step);
            root = await store.editTree(root, edits);
          }
          expect(new Map(await flatten(store, root))).toEqual(model);
          const afresh = await Promise.all([...model].map(async ([path, value]): Promise<[string, TreeEdit]> =>
            [path, await blobEntry(store, value.slice(7), value.slice(0, 6) as FileMode)]));
          expect(await store.editTree(await store.writeTree([]), new Map(afresh))).toBe(root);
        }), { numRuns: runs });
      });
    });

    describe('mergeTrees', () => {
      const merge = async (base: Files, ours: Files, theirs: Files): Promise<{ files: Files; conflicts: readonly string[] }> => {
        const [b, o, t] = [await writeFiles(store, base), await writeFiles(store, ours), await writeFiles(store, theirs)];
        const { tree, conflicts } = await store.mergeTrees(b, o, t);
        return { files: conflicts.length === 0 ? await readFiles(store, tree) : {}, conflicts };
      };

      test.each<[string, Files, Files, Files, Files]>([
        ['nothing changed', { a: '1' }, { a: '1' }, { a: '1' }, { a: '1' }],
        ['only ours changed', { a: '1' }, { a: '2' }, { a: '1' }, { a: '2' }],
        ['only theirs changed', { a: '1' }, { a: '1' }, { a: '2', b: '3' }, { a: '2', b: '3' }],
        ['both changed other files of one folder', { 'd/a': '1', 'd/b': '1', 'e/c': '1' }, { 'd/a': '2', 'd/b': '1', 'e/c': '1' }, { 'd/a': '1', 'd/b': '2', 'e/c': '1' }, { 'd/a': '2', 'd/b': '2', 'e/c': '1' }],
        ['both made the same change', { a: '1' }, { a: '2', n: 'x' }, { a: '2', n: 'x' }, { a: '2', n: 'x' }],
        ['both removed the same file', { a: '1', b: '1' }, { b: '1' }, { b: '1' }, { b: '1' }],
        ['one removed a folder, the other another', { 'd/a': '1', 'e/b': '1' }, { 'e/b': '1' }, { 'd/a': '1' }, {}],
        ['one removed a folder, the other added to it', { 'd/a': '1', k: '1' }, { k: '1' }, { 'd/a': '1', 'd/b': '2', k: '1' }, { 'd/b': '2', k: '1' }],
        ['both added files to a new folder', {}, { 'd/a': '1' }, { 'd/b': '2' }, { 'd/a': '1', 'd/b': '2' }],
        ['a file became a folder on one side', { a: '1', b: '1' }, { 'a/x': '2', b: '1' }, { a: '1', b: '2' }, { 'a/x': '2', b: '2' }],
        ['both changed one file in lines apart', { f: lines({}) }, { f: lines({ 1: 'ours' }) }, { f: lines({ 9: 'theirs' }) }, { f: lines({ 1: 'ours', 9: 'theirs' }) }],
        ['both changed one file, and other files too', { f: lines({}), g: '1', 'd/h': '1' }, { f: lines({ 1: 'ours' }), g: '2', 'd/h': '1' }, { f: lines({ 9: 'theirs' }), g: '1', 'd/h': '3', n: '4' }, { f: lines({ 1: 'ours', 9: 'theirs' }), g: '2', 'd/h': '3', n: '4' }],
        ['tasks move to the archive while others are added', { 'tasks/a.md': '1', 'tasks/b.md': lines({}) }, { 'tasks/archive/a.md': '1', 'tasks/b.md': lines({ 1: 'ours' }) }, { 'tasks/a.md': '1', 'tasks/b.md': lines({ 9: 'theirs' }), 'tasks/c.md': 'new' }, { 'tasks/archive/a.md': '1', 'tasks/b.md': lines({ 1: 'ours', 9: 'theirs' }), 'tasks/c.md': 'new' }],
      ])('%s: merges', async (_, base, ours, theirs, result) => {
        expect(await merge(base, ours, theirs)).toEqual({ files: result, conflicts: [] });
      });

      test.each<[string, Files, Files, Files, string[]]>([
        ['both changed one line', { 'd/f': lines({}) }, { 'd/f': lines({ 3: 'ours' }) }, { 'd/f': lines({ 3: 'theirs' }) }, ['d/f']],
        ['both added a file with other content', {}, { f: 'ours\n' }, { f: 'theirs\n' }, ['f']],
        ['one removed what the other changed', { f: 'x\n', g: '1' }, { g: '1' }, { f: 'y\n', g: '1' }, ['f']],
        ['one added a file where the other added a folder', {}, { a: 'file\n' }, { 'a/b': 'below\n' }, ['a']],
        ['a binary file was changed on both sides', { f: 'a\0b\n' }, { f: 'a\0c\n' }, { f: 'a\0d\n' }, ['f']],
        ['two files clash and a third does not', { f: '1\n', g: '1\n', h: lines({}) }, { f: '2\n', g: '2\n', h: lines({ 1: 'ours' }) }, { f: '3\n', g: '3\n', h: lines({ 9: 'theirs' }) }, ['f', 'g']],
      ])('%s: conflict', async (_, base, ours, theirs, conflicts) => {
        expect((await merge(base, ours, theirs)).conflicts).toEqual(conflicts);
      });

      test('one side makes a file executable while the other changes it', async () => {
        const root = await writeFiles(store, { f: 'old', g: '1' });
        const ours = await store.editTree(root, new Map([['f', await blobEntry(store, 'old', '100755')]]));
        const theirs = await store.editTree(root, new Map([['f', await blobEntry(store, 'new')]]));
        const { tree, conflicts } = await store.mergeTrees(root, ours, theirs);
        expect(conflicts).toEqual([]);
        expect((await store.readTree(tree))[0]).toEqual({ name: 'f', ...(await blobEntry(store, 'new', '100755')) });
      });

      test('edits of different folders merge to what applying both gives', async () => {
        await fc.assert(fc.asyncProperty(STEPS, STEPS, STEPS, async (before, left, right) => {
          const within = (prefix: string, steps: Steps): Steps => steps.map(({ gone, set }) => ({ gone: gone.map((path) => `${prefix}${path}`), set: set.map(([path, ...rest]) => [`${prefix}${path}`, ...rest] as const) })) as Steps;
          const apply = async (root: Oid, steps: Steps): Promise<Oid> => {
            let tree = root;
            for (const step of steps) tree = await store.editTree(tree, (await asEdits(store, step)).edits);
            return tree;
          };
          const base = await apply(await store.writeTree([]), [...within('l/', before), ...within('r/', before)]);
          const [ours, theirs] = [await apply(base, within('l/', left)), await apply(base, within('r/', right))];
          expect(await store.mergeTrees(base, ours, theirs)).toEqual({ tree: await apply(ours, within('r/', right)), conflicts: [] });
        }), { numRuns: Math.ceil(runs / 2) });
      });
    });

    describe('history', () => {
      test('ancestors are found over any parent, and a commit is its own', async () => {
        const of = await dag(store, ['a', 'b a', 'c a', 'd b c', 'e']);
        for (const [ancestor, descendant, answer] of [['a', 'd', true], ['c', 'd', true], ['d', 'd', true], ['d', 'a', false], ['b', 'c', false], ['e', 'd', false], ['a', 'e', false]] as const) {
          expect(await store.isAncestor(of(ancestor), of(descendant)), `${ancestor} of ${descendant}`).toBe(answer);
        }
      });

      test('the merge base is the best common ancestor, or null', async () => {
        const of = await dag(store, ['a', 'b a', 'c b', 'd b', 'e d', 'x']);
        expect(await store.mergeBase(of('c'), of('e'))).toBe(of('b'));
        expect(await store.mergeBase(of('a'), of('e'))).toBe(of('a'));
        expect(await store.mergeBase(of('e'), of('d'))).toBe(of('d'));
        expect(await store.mergeBase(of('e'), of('e'))).toBe(of('e'));
        expect(await store.mergeBase(of('e'), of('x'))).toBeNull();
      });

      test('the log holds what is reachable from one and not from others, newest first', async () => {
        const of = await dag(store, ['a', 'b a', 'c a', 'd b c', 'e d', 'f d']);
        const log = (from: string, not: string[] = [], more: { limit?: number; firstParent?: boolean } = {}): Promise<string[]> => messages(store.log(of(from), { not: not.map(of), ...more }));
        expect(await log('e')).toEqual(['e', 'd', 'c', 'b', 'a']);
        expect(await log('e', ['b'])).toEqual(['e', 'd', 'c']);
        expect(await log('e', ['b', 'c'])).toEqual(['e', 'd']);
        expect(await log('e', ['f'])).toEqual(['e']);
        expect(await log('e', ['e'])).toEqual([]);
        expect(await log('a', ['e'])).toEqual([]);
        expect(await log('e', [], { firstParent: true })).toEqual(['e', 'd', 'b', 'a']);
        expect(await log('e', ['c'], { firstParent: true })).toEqual(['e', 'd', 'b']);
        expect(await log('e', ['b'], { firstParent: true, limit: 1 })).toEqual(['e']);
        expect(await log('e', [], { limit: 2 })).toEqual(['e', 'd']);
        expect(await log('e', [], { limit: 0 })).toEqual([]);
        expect(await messages(store.log(of('a')))).toEqual(['a']);
      });

      test('a clock that runs back puts no parent before its child', async () => {
        const at = (seconds: number): Signature => ({ ...SOMEONE, seconds });
        const root = await commitOn(store, [], { committer: at(900), message: 'root' });
        const [left, right] = [await commitOn(store, [root], { committer: at(100), message: 'left' }), await commitOn(store, [root], { committer: at(200), message: 'right' })];
        const top = await commitOn(store, [left, right], { committer: at(50), message: 'top' });
        expect(await messages(store.log(top))).toEqual(['top', 'right', 'left', 'root']);
      });

      test('long histories give the same answers as short ones', async () => {
        const chain = Array.from({ length: 80 }, (_, index) => (index === 0 ? 'c0' : `c${index} c${index - 1}`));
        const of = await dag(store, [...chain, 'side c3', 'top c79 side', 'x']);
        expect(await store.isAncestor(of('c0'), of('top'))).toBe(true);
        expect(await store.isAncestor(of('x'), of('top'))).toBe(false);
        expect(await store.mergeBase(of('side'), of('c79'))).toBe(of('c3'));
        expect(await store.mergeBase(of('x'), of('c79'))).toBeNull();
        expect(await messages(store.log(of('c79'), { not: [of('c1')] }))).toEqual(Array.from({ length: 78 }, (_, index) => `c${79 - index}`));
        expect(await messages(store.log(of('top'), { limit: 2, firstParent: true }))).toEqual(['top', 'c79']);
        expect(await store.log(of('top'), { not: [of('side')], firstParent: true })).toHaveLength(77);
      });

      test('questions about commits that are not here say object-missing', async () => {
        const [commit, nowhere] = [await commitOn(store, []), NOWHERE[store.objectFormat]];
        const questions: (() => Promise<unknown>)[] = [
          () => store.isAncestor(nowhere, commit), () => store.isAncestor(commit, nowhere), () => store.mergeBase(nowhere, commit),
          () => store.log(nowhere), () => store.log(commit, { not: [nowhere] }),
        ];
        for (const ask of questions) await expect(ask()).rejects.toMatchObject({ code: 'object-missing' });
      });

      test('random histories: answers follow from the parents alone', async () => {
        const parentsOf = fc.array(fc.uniqueArray(fc.nat(11), { maxLength: 3 }), { minLength: 2, maxLength: 12 })
          .map((all) => all.map((parents, index) => parents.filter((parent) => parent < index)));
        await fc.assert(fc.asyncProperty(parentsOf, fc.nat(), fc.nat(), async (parents, left, right) => {
          const oids: Oid[] = [];
          for (const [index, given] of parents.entries()) oids.push(await commitOn(store, given.map((parent) => oids[parent] as Oid), { message: `${index}` }));
          const above = parents.map((_, index) => new Set([index]));
          for (const [index, given] of parents.entries()) for (const parent of given) for (const older of above[parent] as Set<number>) above[index]?.add(older);
          const [a, b] = [left % parents.length, right % parents.length];
          const [ofA, ofB] = [above[a] as Set<number>, above[b] as Set<number>];
          expect(await store.isAncestor(oids[a] as Oid, oids[b] as Oid)).toBe(ofB.has(a));
          const shown = await messages(store.log(oids[a] as Oid, { not: [oids[b] as Oid] }));
          expect(new Set(shown)).toEqual(new Set([...ofA].filter((index) => !ofB.has(index)).map(String)));
          for (const [place, name] of shown.entries()) expect(shown.slice(place + 1).some((later) => above[Number(later)]?.has(Number(name)))).toBe(false);
          const common = [...ofA].filter((index) => ofB.has(index));
          const best = common.filter((index) => !common.some((other) => other !== index && above[other]?.has(index)));
          const base = await store.mergeBase(oids[a] as Oid, oids[b] as Oid);
          if (best.length === 0) expect(base).toBeNull();
          else expect(best.map((index) => oids[index])).toContain(base);
        }), { numRuns: runs });
      });
    });

    describe('refs', () => {
      let [one, two]: [Oid, Oid] = ['', ''];
      beforeEach(async () => {
        [one, two] = [await commitOn(store, [], { message: 'one' }), await commitOn(store, [], { message: 'two' })];
      });
      const move = (...moves: [ref: string, expect: Oid | null | undefined, to: Oid | null][]): Promise<boolean> =>
        store.updateRefs(moves.map(([ref, expect, to]) => (expect === undefined ? { ref, to } : { ref, expect, to })), 'test');

      test('a ref is created, moved and deleted by what it was', async () => {
        expect(await store.readRef('refs/cambium/claims/a')).toBeNull();
        expect(await move(['refs/cambium/claims/a', null, one])).toBe(true);
        expect(await store.readRef('refs/cambium/claims/a')).toBe(one);
        expect(await move(['refs/cambium/claims/a', one, two])).toBe(true);
        expect(await store.readRef('refs/cambium/claims/a')).toBe(two);
        expect(await move(['refs/cambium/claims/a', two, null])).toBe(true);
        expect(await store.readRef('refs/cambium/claims/a')).toBeNull();
      });

      test.each<[string, () => [string, Oid | null | undefined, Oid | null]]>([
        ['creating what is there', () => ['refs/heads/main', null, two]],
        ['moving from what it is not', () => ['refs/heads/main', two, one]],
        ['deleting what it is not', () => ['refs/heads/main', two, null]],
        ['moving what is not there', () => ['refs/heads/gone', one, two]],
        ['deleting what is not there', () => ['refs/heads/gone', one, null]],
        ['keeping what it is not', () => ['refs/heads/main', two, two]],
      ])('%s is refused, and so is all that came with it', async (_, wrong) => {
        await move(['refs/heads/main', null, one]);
        expect(await move(['refs/cambium/x', null, one], wrong(), ['refs/cambium/y', undefined, one])).toBe(false);
        expect(await store.readRef('refs/heads/main')).toBe(one);
        expect(await store.readRef('refs/heads/gone')).toBeNull();
        expect(await store.listRefs('refs/cambium/')).toEqual(new Map());
        expect(await move(['refs/heads/main', one, two])).toBe(true);
      });

      test('without an expectation whatever is there is replaced or removed', async () => {
        expect(await move(['refs/cambium/a', undefined, one], ['refs/cambium/gone', undefined, null], ['refs/cambium/never', null, null])).toBe(true);
        expect(await move(['refs/cambium/a', undefined, two])).toBe(true);
        expect(await move(['refs/cambium/a', two, two])).toBe(true);
        expect(await store.listRefs('refs/')).toEqual(new Map([['refs/cambium/a', two]]));
        expect(await move(['refs/cambium/a', undefined, null])).toBe(true);
        expect(await store.listRefs('refs/')).toEqual(new Map());
      });

      test('an empty list of updates is done', async () => {
        expect(await store.updateRefs([], 'test')).toBe(true);
      });

      test('a listing holds every ref below its prefix, by name, and no other', async () => {
        const names = ['refs/cambium/claims/a', 'refs/cambium/claims/b-c', 'refs/cambium/claims2/d', 'refs/cambium/locks/e', 'refs/heads/main'];
        await move(...names.map((ref): [string, null, Oid] => [ref, null, one]));
        const list = async (prefix: string): Promise<string[]> => [...(await store.listRefs(prefix)).keys()];
        expect(await list('refs/cambium/claims/')).toEqual(names.slice(0, 2));
        expect(await list('refs/cambium/claims')).toEqual(names.slice(0, 3));
        expect(await list('refs/cambium/claims/b')).toEqual(names.slice(1, 2));
        expect(await list('refs/heads/main')).toEqual(['refs/heads/main']);
        expect(await list('refs/')).toEqual(names);
        expect(await list('refs/none/')).toEqual([]);
      });

      test('of many who swap one ref from the same value one wins', async () => {
        await move(['refs/heads/main', null, one]);
        const rivals = await Promise.all(Array.from({ length: 12 }, (_, index) => commitOn(store, [one], { message: `${index}` })));
        const won = await Promise.all(rivals.map((rival) => move(['refs/heads/main', one, rival])));
        expect(won.filter(Boolean)).toHaveLength(1);
        expect(await store.readRef('refs/heads/main')).toBe(rivals[won.indexOf(true)]);
      });

      test('a ref to an object that is not here is an error and moves nothing', async () => {
        await expect(move(['refs/cambium/a', null, one], ['refs/cambium/b', null, NOWHERE[store.objectFormat]])).rejects.toMatchObject({ code: 'object-missing' });
        expect(await store.listRefs('refs/')).toEqual(new Map());
        expect(await move(['refs/cambium/a', null, one])).toBe(true);
      });

      test('a branch names a commit', async () => {
        await expect(move(['refs/heads/main', null, await store.writeTree([])])).rejects.toMatchObject({ code: 'git-failed' });
      });

      test('a ref cannot stand below another', async () => {
        await move(['refs/cambium/a', null, one]);
        await expect(move(['refs/cambium/a/b', null, one])).rejects.toMatchObject({ code: 'git-failed' });
        await expect(move(['refs/cambium/x', null, one], ['refs/cambium/x/y', null, one])).rejects.toMatchObject({ code: 'git-failed' });
        expect(await store.listRefs('refs/')).toEqual(new Map([['refs/cambium/a', one]]));
      });

      test.each(['main', 'HEAD', 'refs/a..b', 'refs/x.lock', 'refs/a b', 'refs/../config', 'refs/a/', 'refs/.a', 'refs/a\nb', 'refs/a^'])('%j is not the name of a ref', async (ref) => {
        await expect(store.readRef(ref)).rejects.toMatchObject({ code: 'internal' });
        await expect(move([ref, null, one])).rejects.toMatchObject({ code: 'internal' });
      });

      test('one transaction moves a ref once', async () => {
        await expect(move(['refs/cambium/a', null, one], ['refs/cambium/a', one, two])).rejects.toMatchObject({ code: 'internal' });
      });
    });
  });
}
