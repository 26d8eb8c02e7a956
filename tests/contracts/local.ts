/** What every Local promises. `create` opens the same records again when it is called with the same home. */
import { describe, expect, test } from 'vitest';
import type { Local } from '../../src/ports/local.ts';

export interface LocalWorld {
  /** Opens the records, as a restarted daemon does. */
  open(): Local;
}

export function localContract(name: string, create: () => LocalWorld): void {
  describe(`local records (${name})`, () => {
    test('what was written is read by whoever opens them next', async () => {
      const world = create();
      await world.open().write('runs/add-login.2', { epoch: 2, text: 'ä\n"' });
      expect(await world.open().read('runs/add-login.2')).toEqual({ epoch: 2, text: 'ä\n"' });
    });

    test('a key that was never written, or was removed, is undefined', async () => {
      const local = create().open();
      expect(await local.read('incarnation')).toBeUndefined();
      await local.write('incarnation', 'x');
      await local.remove('incarnation');
      await local.remove('incarnation');
      expect(await local.read('incarnation')).toBeUndefined();
    });

    test('a later write replaces the whole value', async () => {
      const local = create().open();
      await local.write('a', { one: 1, two: 2 });
      await local.write('a', { two: 3 });
      expect(await local.read('a')).toEqual({ two: 3 });
    });

    test('of many writes at once the last one asked for stands', async () => {
      const local = create().open();
      await Promise.all(Array.from({ length: 20 }, (_, index) => local.write('seq', index)));
      expect(await local.read('seq')).toBe(19);
    });

    test('a value is taken as it is at the call', async () => {
      const local = create().open();
      const value = { state: 'before' };
      const writing = local.write('a', value);
      value.state = 'after';
      await writing;
      expect(await local.read('a')).toEqual({ state: 'before' });
    });

    test('keys are listed by folder, sorted, at any depth', async () => {
      const local = create().open();
      for (const key of ['runs/b.1', 'runs/a.1', 'runs/old/c.1', 'runsheet', 'incarnation']) await local.write(key, true);
      expect(await local.list('runs')).toEqual(['runs/a.1', 'runs/b.1', 'runs/old/c.1']);
      expect(await local.list('runs/')).toEqual(['runs/a.1', 'runs/b.1', 'runs/old/c.1']);
      expect(await local.list('')).toEqual(['incarnation', 'runs/a.1', 'runs/b.1', 'runs/old/c.1', 'runsheet']);
      expect(await local.list('none')).toEqual([]);
    });

    test.each(['../x', '/x', 'a//b', 'a/../b', '.hidden', '', 'a/'])('the key %j is refused', async (key) => {
      const local = create().open();
      await expect(async () => local.write(key, 1)).rejects.toMatchObject({ code: 'internal' });
      await expect(async () => local.read(key)).rejects.toMatchObject({ code: 'internal' });
    });
  });
}
