import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeCommit, decodeName, decodeTree, encodeCommit, encodeName, encodeTree, isOid, sortEntries } from '../../../src/adapters/git/objects.ts';

const OID = 'ce013625030ba8dba906f756967f9e9ca394464a';

test('any bytes of a name survive being text', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 12 }), (bytes) => {
    expect(encodeName(decodeName(Buffer.from(bytes))).equals(Buffer.from(bytes))).toBe(true);
  }), { numRuns: 500 });
});

test('any name that is text keeps its UTF-8 bytes', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (name) => {
    expect(encodeName(name).equals(Buffer.from(name))).toBe(true);
    expect(decodeName(Buffer.from(name))).toBe(name);
  }));
});

test('half of a character is no name', () => {
  expect(() => encodeName('a\ud83d')).toThrow(expect.objectContaining({ code: 'bad-file' }));
});

test('the order is that of bytes, whatever the order given', () => {
  const names = fc.uniqueArray(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4 }), { maxLength: 8 });
  fc.assert(fc.property(names, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), (given, folders) => {
    const entries = given.map((name, index) => ({ mode: folders[index] === true ? '40000' as const : '100644' as const, name, oid: OID }));
    const keys = sortEntries(entries).map(({ mode, name }) => Buffer.from(mode === '40000' ? `${name}/` : name));
    for (const [index, key] of keys.entries()) expect(Buffer.compare(keys[index - 1] ?? Buffer.alloc(0), key)).not.toBe(1);
  }));
});

test('modes of old tools are read as git reads them', () => {
  const raw = (mode: string): Buffer => Buffer.concat([Buffer.from(`${mode} f\0`), Buffer.from(OID, 'hex')]);
  expect(['100664', '100775', '040000', '120000', '160000'].map((mode) => decodeTree(OID, raw(mode), 'sha1')[0]?.mode)).toEqual(['100644', '100755', '40000', '120000', '160000']);
});

test.each([['cut short', Buffer.concat([Buffer.from('100644 f\0'), Buffer.from(OID, 'hex').subarray(1)])], ['without a name', Buffer.from('100644')], ['of an unknown kind', Buffer.concat([Buffer.from('777 f\0'), Buffer.from(OID, 'hex')])]])(
  'a tree that is %s is corrupt', (_, body) => {
    expect(() => decodeTree(OID, body, 'sha1')).toThrow(expect.objectContaining({ code: 'object-corrupt' }));
  });

test('what git would take for an abbreviation or a revision is no oid', () => {
  expect([OID, OID.slice(1), OID.toUpperCase(), `${OID}\n`, 'HEAD', '', `${OID.slice(0, 38)}^1`].map((text) => isOid(text, 'sha1'))).toEqual([true, false, false, false, false, false, false]);
  expect(isOid(OID, 'sha256')).toBe(false);
});

test('no author can add a header or an empty line', () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom('a', ' ', '<', '>', '\n', '\r', '\0', 'é') }), fc.string({ unit: fc.constantFrom('@', ' ', '<', '>', '\n') }), fc.integer(), fc.string(), (name, email, seconds, zone) => {
    const signature = { name, email, seconds, zone };
    const body = encodeCommit({ tree: OID, parents: [], author: signature, committer: signature, message: 'm\n' }, 'sha1');
    expect(body.toString().split('\n')).toHaveLength(6);
    expect(body.toString()).toMatch(/^tree .*\nauthor [^<>\n]+ <[^<>\n]*> \d+ [+-]\d{4}\ncommitter [^<>\n]+ <[^<>\n]*> \d+ [+-]\d{4}\n\nm\n$/);
    expect(decodeCommit(OID, body).message).toBe('m\n');
  }));
});

test('a commit without a message or with a broken author line is still read', () => {
  expect(decodeCommit(OID, Buffer.from(`tree ${OID}\nauthor nobody\ncommitter A <a@b> 12 +0100\n`))).toEqual({
    oid: OID, tree: OID, parents: [], message: '', author: { name: 'nobody', email: '', seconds: 0, zone: '+0000' }, committer: { name: 'A', email: 'a@b', seconds: 12, zone: '+0100' },
  });
  expect(() => decodeCommit(OID, Buffer.from('nonsense'))).toThrow(expect.objectContaining({ code: 'object-corrupt' }));
});

test('a tree is encoded as it was decoded', () => {
  const entries = sortEntries([{ mode: '100644', name: 'a.b', oid: OID }, { mode: '40000', name: 'a', oid: OID }, { mode: '120000', name: 'é', oid: OID }]);
  expect(decodeTree(OID, encodeTree(entries, 'sha1'), 'sha1')).toEqual(entries);
});
