/** A hub that can be read and gives no proper answer to a push: the boot says which of the two it is. */
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMemoryHub } from '../../../src/adapters/memory/hub.ts';
import { createMemoryStore } from '../../../src/adapters/memory/store.ts';
import { openGitHub } from '../../../src/adapters/git/hub.ts';
import { probeHub } from '../../../src/adapters/git/probe.ts';
import type { Hub, PushOutcome } from '../../../src/ports/hub.ts';
import { makeBareHub, makeClone, setHook, tempDir, writeCommit } from '../../support/repo.ts';

let temp: ReturnType<typeof tempDir>;
beforeEach(() => {
  temp = tempDir('probe-faults');
});
afterEach(() => temp.remove());

describe('a push of the probe that is never answered', () => {
  const probing = (answers: readonly PushOutcome[]): { readonly done: Promise<unknown>; pushes(): number } => {
    const store = createMemoryStore();
    const hub = createMemoryHub().connect(store);
    let pushes = 0;
    const answering: Hub = { ...hub, push: async (updates) => (updates.length === 0 ? { kind: 'accepted' } : (answers[pushes++] ?? hub.push(updates))) };
    return { done: probeHub({ hub: answering, store, node: 'vm-a', nonce: 'n' }), pushes: () => pushes };
  };
  const unknown = (detail: string): PushOutcome => ({ kind: 'unknown', detail });

  test('is repeated as it is, three times in all, and then the hub counts as silent', async () => {
    const silent = probing(Array.from({ length: 10 }, () => unknown('timed out')));
    await expect(silent.done).rejects.toMatchObject({ code: 'outcome-unknown', hint: 'Try again when the hub answers.' });
    expect(silent.pushes()).toBe(3);
  });

  test.each(['remote: Permission to a/b denied', 'fatal: Authentication failed', 'The requested URL returned error: 403', 'fatal: could not read Username'])('because of "%s" is told as credentials that may not write', async (detail) => {
    await expect(probing(Array.from({ length: 10 }, () => unknown(detail))).done).rejects.toMatchObject({ code: 'hub-denied', hint: expect.stringContaining('credentials') as string });
  });

  test('and is answered when it is repeated is no trouble', async () => {
    expect(await probing([unknown('timed out')]).done).toMatchObject({ fit: true });
  });
});

test('a refused deletion of which nobody can tell whether it was a repeat, because the hub has gone, is neither done nor failed', async () => {
  const bare = makeBareHub(join(temp.path, 'hub.git'));
  const clone = makeClone(join(temp.path, 'clone'), bare);
  const hub = openGitHub({ gitDir: join(clone, '.git'), url: bare });
  const [ref, there] = ['refs/cambium/claims/a', writeCommit(clone, 'one')];
  expect(await hub.push([{ ref, expect: null, to: there }])).toEqual({ kind: 'accepted' });
  setHook(bare, 'pre-receive', `mv '${bare}' '${bare}.away'; exit 1`);
  const deletion = { ref, expect: there, to: null };
  expect(await hub.push([deletion])).toMatchObject({ kind: 'unknown', detail: expect.stringContaining('could not be read to see why') as string });
  setHook(`${bare}.away`, 'pre-receive', null);
  renameSync(`${bare}.away`, bare);
  expect(await hub.push([deletion])).toEqual({ kind: 'accepted' });
  expect(await hub.push([deletion])).toEqual({ kind: 'accepted' });
});
