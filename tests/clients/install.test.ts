/** The installer of the real CLIs: the pinned versions, whole or not there at all. */
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { tempDir } from '../support/temp.ts';
import { client, PINS, type ClientName } from './install.ts';

const NAMES: readonly ClientName[] = ['claude', 'codex', 'gemini', 'opencode'];
const before = { ...process.env };

afterEach(() => {
  process.env = { ...before };
});

for (const name of NAMES) {
  const found = await client(name);
  const missing = 'unavailable' in found;
  describe.skipIf(missing)(missing ? `${name} (${found.unavailable})` : name, () => {
    test('says the pinned version', () => {
      if (missing) return;
      expect(execFileSync(found.program, ['--version'], { encoding: 'utf8', input: '' })).toContain(PINS[name].version);
    });

    test('is installed once', async () => {
      if (missing) return;
      const { ino, mtimeMs } = statSync(found.program);
      expect(await client(name)).toEqual(found);
      expect(statSync(found.program)).toMatchObject({ ino, mtimeMs });
    });
  });
}

describe('in an empty cache', () => {
  const cache = (): ReturnType<typeof tempDir> => {
    const folder = tempDir('clients');
    process.env['CAMBIUM_CLIENTS_DIR'] = folder.path;
    return folder;
  };
  /** Nobody listens on port 1 of loopback. */
  const noRegistry = (): void => void Object.assign(process.env, { npm_config_registry: 'http://127.0.0.1:1/', npm_config_fetch_retries: '0', npm_config_prefer_offline: 'false', npm_config_cache: `${process.env['CAMBIUM_CLIENTS_DIR']}/npm` });

  test('no network is a reason, and leaves nothing behind', async () => {
    const folder = cache();
    noRegistry();
    expect(await client('codex')).toEqual({ name: 'codex', unavailable: expect.stringContaining('no network: ') });
    expect(readdirSync(folder.path).filter((entry) => entry !== 'npm')).toEqual([]);
    folder.remove();
  });

  test('no network is an error where the clients are required', async () => {
    const folder = cache();
    noRegistry();
    process.env['CAMBIUM_CLIENTS_REQUIRED'] = '1';
    await expect(client('codex')).rejects.toThrow(/codex is required and unavailable: no network/);
    folder.remove();
  });

  test('a package without a program for this platform is a reason', async () => {
    const folder = cache();
    // Any small package: what counts is that no program is found in it.
    const found = await client('codex', { package: 'yaml', version: '2.9.1', program: () => null });
    expect('unavailable' in found && found.unavailable).toMatch(/no network|has no program for/);
    expect(readdirSync(folder.path)).toEqual([]);
    folder.remove();
  });

  test('opencode is asked for by name', async () => {
    delete process.env['CAMBIUM_CLIENTS'];
    expect(await client('opencode')).toEqual({ name: 'opencode', unavailable: 'not asked for: CAMBIUM_CLIENTS=opencode' });
  });
});
