/** Whether a CLI is there, asked of real programs. */
import { appendFileSync, chmodSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { clientProbe } from '../../../src/adapters/providers/clientProbe.ts';
import { tempDir } from '../../support/temp.ts';

const folder = tempDir('probe');
afterAll(() => folder.remove());

let made = 0;

/** A program that counts its runs in a file beside it. */
function program(script: string): { readonly path: string; runs(): number } {
  const place = join(folder.path, String(made++));
  mkdirSync(place);
  const path = join(place, 'mycli');
  writeFileSync(path, `#!/bin/sh\necho run >> "${place}/runs"\n${script}\n`);
  chmodSync(path, 0o755);
  return { path, runs: () => readFileSync(`${place}/runs`, 'utf8').split('\n').length - 1 };
}

const probeOf = (...command: string[]) => clientProbe({ name: 'mine', command, install: 'Install it.' });

describe('the probe of a CLI', () => {
  test('asks for the version once, and again when the program has changed', async () => {
    const cli = program('echo "2.1.329 (My CLI)"');
    const probe = probeOf(cli.path);
    expect([await probe(), await probe()]).toEqual([{ version: '2.1.329' }, { version: '2.1.329' }]);
    expect(cli.runs()).toBe(1);
    appendFileSync(cli.path, '# newer\n');
    utimesSync(cli.path, 1, 1);
    await probe();
    expect(cli.runs()).toBe(2);
    rmSync(cli.path);
    expect(await probe()).toEqual({ unavailable: `${cli.path} is not there.`, hint: 'Install it. Or set providers.mine.command in cambium.yaml.' });
  });

  test('finds a name on PATH, and says so when there is none', async () => {
    expect(await probeOf('node')()).toEqual({ version: process.versions.node });
    expect(await probeOf('no-such-program')()).toMatchObject({ unavailable: 'no-such-program is not on PATH.' });
    expect(await probeOf('./bin/claude')()).toMatchObject({ unavailable: './bin/claude is not an absolute path.' });
  });

  test.each([
    ['fails', 'echo broken >&2; exit 3', /failed: broken/], ['says nothing of a version', 'echo hello', /named no version/],
  ])('one that %s is not there, and is asked again', async (_, script, why) => {
    const cli = program(script);
    const probe = probeOf(cli.path);
    expect(await probe()).toMatchObject({ unavailable: expect.stringMatching(why) as string });
    await probe();
    expect(cli.runs()).toBe(2);
  });

  test('tells the program nothing of the environment but what it needs', async () => {
    process.env['PROBE_API_KEY'] = 'not-for-you';
    const cli = program('echo "1.2.3-$PROBE_API_KEY"');
    expect(await probeOf(cli.path)()).toEqual({ version: '1.2.3-' });
    delete process.env['PROBE_API_KEY'];
  });

  test('an argument that is a file counts as part of the program', async () => {
    const script = join(folder.path, 'cli.mjs');
    writeFileSync(script, 'console.log("7.0.0")');
    const probe = probeOf(process.execPath, script);
    expect(await probe()).toEqual({ version: '7.0.0' });
    writeFileSync(script, 'console.log("7.0.1 ")');
    expect(await probe()).toEqual({ version: '7.0.1' });
  });
});
