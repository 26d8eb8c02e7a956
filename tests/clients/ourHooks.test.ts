/** Our own hooks in the real CLIs: installed by the command that people use, in a workspace with a task in hand. */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hookFile } from '../../src/workspace/agentHooks.ts';
import { cli, cliPath } from '../support/cli.ts';
import { gitIn } from '../support/repo.ts';
import type { Client } from './install.ts';
import { describeClient, scene } from './scene.ts';
import type { Scene } from './scene.ts';
import type { Script } from './script.ts';

/** It writes where no agent may, and stops; told to go on, it only says so again. */
const STUBBORN: Script = ({ prompt }) => (prompt.includes('Write the greeting.') ? [{ tool: 'write', path: 'hooks/on-task-done', text: 'echo mine\n' }, { text: 'I stop.' }] : [{ text: 'I stop all the same.' }]);

async function must(cwd: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  const ran = await cli(args, { cwd, env: { CAMBIUM_NODE: 'vm', ...env } });
  if (ran.exit !== 0) throw new Error(`cambium ${args.join(' ')} ended with ${ran.exit}: ${ran.stdout}${ran.stderr}`);
}

/** A workspace where the CLI stands, with `cambium` on PATH; what the CLI is to be run with. */
async function workspace({ at }: Scene, { name }: Client): Promise<Readonly<Record<string, string>>> {
  gitIn(at.cwd, ['init', '--quiet', '--initial-branch=main']);
  gitIn(at.cwd, ['config', 'user.name', 'Maria']);
  gitIn(at.cwd, ['config', 'user.email', 'maria@example.org']);
  await must(at.cwd, ['init', '.']);
  if (name === 'codex') {
    // Codex reads a project's hooks only once a person has trusted it: here they stand in its own home.
    writeFileSync(join(at.home, 'hooks.json'), hookFile('codex'));
  } else await must(at.cwd, ['hook', 'install', '--for', name]);
  const bin = join(at.home, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'cambium'), `#!/bin/sh\nexec '${process.execPath}' '${cliPath()}' "$@"\n`);
  chmodSync(join(bin, 'cambium'), 0o755);
  return { CAMBIUM_AGENT: 'worker-1', PATH: `${bin}:${process.env['PATH']}` };
}

for (const name of ['claude', 'codex', 'gemini'] as const) {
  await describeClient(name, (client) => {
    const flags = name === 'codex' ? ['--dangerously-bypass-hook-trust'] : [];

    test('a session hears what it holds, is kept from protected paths, and is reminded once before it ends', async () => {
      const stand = await scene(client, STUBBORN);
      const env = await workspace(stand, client);
      await must(stand.at.cwd, ['task', 'add', 'Paint the door', '--id', 'door']);
      await must(stand.at.cwd, ['task', 'claim', 'door'], { CAMBIUM_AGENT: 'worker-1' });
      const ran = await stand.ask({ env, flags });
      expect([ran.exit, ran.timedOut, ran.left]).toEqual([0, false, 0]);
      const turns = stand.server.turns();
      expect(`${turns[0]?.context}${turns[0]?.system}`).toMatch(/You are the agent worker-1[^]*Task door \(claim epoch 1\): Paint the door/);
      expect([...new Set(turns.map(({ prompt }) => prompt.trim()))]).toEqual([expect.stringContaining('Write the greeting.'), expect.stringContaining('You still hold the task door (epoch 1)')]);
      expect(turns.flatMap(({ results }) => results.map(({ text }) => text)).join()).toContain('hooks/on-task-done is protected');
      expect(existsSync(join(stand.at.cwd, 'hooks/on-task-done'))).toBe(false);
    });

    test('stop: drain hands over a task that is ready, and lets the session end under it', async () => {
      const stand = await scene(client, [{ text: 'I stop.' }]);
      const env = await workspace(stand, client);
      writeFileSync(join(stand.at.cwd, 'cambium.yaml'), 'schema: cambium.fleet/1\nagents:\n  worker-1: { role: worker, stop: drain }\n');
      await must(stand.at.cwd, ['sync']);
      await must(stand.at.cwd, ['task', 'add', 'Paint the fence', '--id', 'fence']);
      const ran = await stand.ask({ env, flags });
      expect([ran.exit, ran.timedOut]).toEqual([0, false]);
      expect(stand.server.turns().map(({ prompt }) => prompt.trim())).toEqual([expect.stringContaining('Write the greeting.'), expect.stringMatching(/Your next task is fence: Paint the fence[^]*cambium task complete fence --agent worker-1 --epoch 1/)]);
    });

    test('a session that nobody made an agent hears nothing and is kept from nothing', async () => {
      const stand = await scene(client, STUBBORN);
      const { PATH } = await workspace(stand, client);
      const ran = await stand.ask({ env: { PATH: PATH as string }, flags });
      expect(ran.exit).toBe(0);
      expect(stand.server.turns().map(({ context, system }) => `${context}${system}`).join()).not.toContain('You are the agent');
      expect(new Set(stand.server.turns().map(({ prompt }) => prompt.trim())).size).toBe(1);
      expect(existsSync(join(stand.at.cwd, 'hooks/on-task-done'))).toBe(true);
    });
  });
}
