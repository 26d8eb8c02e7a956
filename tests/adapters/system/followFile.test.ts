import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { followFile, readEnds } from '../../../src/adapters/system/followFile.ts';
import type { Piece } from '../../../src/adapters/system/followFile.ts';
import { tempDir } from '../../support/temp.ts';

const temp = tempDir('follow');
afterAll(() => temp.remove());
let path = '';
let number = 0;
beforeEach(() => {
  number += 1;
  mkdirSync(join(temp.path, String(number)));
  path = join(temp.path, String(number), 'output.log');
});

/** Follows, and writes the next step whenever what the one before it wrote has come; the last one ends it. */
async function follow(steps: readonly (() => void)[], pollMs = 50): Promise<readonly string[]> {
  const got: string[] = [];
  const todo = [...steps];
  let over = false;
  const next = (): void => {
    const step = todo.shift();
    step?.();
    over = todo.length === 0;
  };
  next();
  for await (const piece of followFile(path, { ended: async () => over, signal: new AbortController().signal, pollMs })) {
    got.push(piece.kind === 'cut' ? '<cut>' : piece.text);
    if (piece.kind === 'text' && !over) next();
  }
  return got;
}

describe('a file that is followed', () => {
  test('is told as it grows, to its end', async () => {
    expect(await follow([() => writeFileSync(path, 'one\n'), () => appendFileSync(path, 'two\n'), () => appendFileSync(path, 'three\n')])).toEqual(['one\n', 'two\n', 'three\n']);
  });

  test('may not be there yet', async () => {
    const pieces = followFile(path, { ended: async () => false, signal: new AbortController().signal, pollMs: 50 });
    const first = pieces.next();
    writeFileSync(path, 'late\n');
    expect((await first).value).toEqual({ kind: 'text', text: 'late\n' });
    await pieces.return(undefined);
  });

  test('is looked at when its folder says that it changed, long before the next poll', async () => {
    expect(await follow([() => writeFileSync(path, 'one\n'), () => appendFileSync(path, 'two\n')], 3_600_000)).toEqual(['one\n', 'two\n']);
  });

  test('that is cut short or replaced begins anew, and says so', async () => {
    expect(await follow([() => writeFileSync(path, 'a long first text\n'), () => writeFileSync(path, 'new\n'), () => { writeFileSync(`${path}.2`, 'other file\n'); renameSync(`${path}.2`, path); }])).toEqual(['a long first text\n', '<cut>', 'new\n', '<cut>', 'other file\n']);
  });

  test('keeps characters whole that came in two writes', async () => {
    const bytes = Buffer.from('grün\n');
    expect((await follow([() => writeFileSync(path, bytes.subarray(0, 3)), () => appendFileSync(path, bytes.subarray(3))])).join('')).toBe('grün\n');
  });

  test('is let go by the signal', async () => {
    writeFileSync(path, 'one\n');
    const stopping = new AbortController();
    const got: Piece[] = [];
    for await (const piece of followFile(path, { ended: async () => false, signal: stopping.signal, pollMs: 3_600_000 })) {
      got.push(piece);
      stopping.abort();
    }
    expect(got).toHaveLength(1);
  });

  test('is no link: where an agent puts one in its place, nothing is read', async () => {
    writeFileSync(`${path}.secret`, 'secret\n');
    symlinkSync(`${path}.secret`, path);
    const got: Piece[] = [];
    for await (const piece of followFile(path, { ended: async () => true, signal: new AbortController().signal })) got.push(piece);
    expect(got).toEqual([]);
    expect(await readEnds(path, 10, 10)).toBeNull();
  });
});

test('both ends of a file', async () => {
  writeFileSync(path, '0123456789');
  expect(await readEnds(path, 3, 4)).toEqual({ head: '012', tail: '6789', whole: false });
  expect(await readEnds(path, 3, 10)).toEqual({ head: '0123456789', tail: '0123456789', whole: true });
  truncateSync(path, 0);
  expect(await readEnds(path, 3, 4)).toEqual({ head: '', tail: '', whole: true });
  rmSync(path);
  expect(await readEnds(path, 3, 4)).toBeNull();
});
