/** A model server of one's own as a provider: entries of cambium.yaml, the real CLIs, and a scripted server that wants no key. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createProviders } from '../../src/adapters/providers/registry.ts';
import { parseFleetConfig } from '../../src/observe/fleetConfig.ts';
import type { Provider } from '../../src/ports/provider.ts';
import { stage } from './drive.ts';
import type { ClientName } from './install.ts';
import { modelServer } from './modelServer.ts';
import { WORK, describeClient } from './scene.ts';
import { supervised } from './underSupervisor.ts';

const closing: (() => Promise<void> | void)[] = [];

/** This machine's own credentials and gateways must play no part. */
beforeEach(() => {
  for (const name of ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'ANTHROPIC_BASE_URL', 'OPENAI_API_KEY', 'CODEX_API_KEY', 'GEMINI_API_KEY', 'GOOGLE_API_KEY', 'GOOGLE_GEMINI_BASE_URL']) vi.stubEnv(name, undefined);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closing.splice(0)) await close();
});

function providerOf(entry: string): Provider {
  const parsed = parseFleetConfig(new TextEncoder().encode(`schema: cambium.fleet/1\nproviders:\n  local: ${entry}\n`));
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  const provider = createProviders(parsed.config.providers).get('local');
  if (provider === undefined) throw new Error(entry);
  return provider;
}

/** How each CLI says the API that it speaks, and the variable in which it takes a key. */
const WAYS: readonly (readonly [ClientName, string, string])[] = [['codex', '/v1', 'OPENAI_API_KEY'], ['claude', '', 'ANTHROPIC_AUTH_TOKEN'], ['gemini', '', 'GEMINI_API_KEY']];

for (const [name, path, keyName] of WAYS) {
  await describeClient(name, (cli) => {
    test('works for a server of one\'s own: its model, and no key', async () => {
      const server = await modelServer(WORK);
      const at = stage('local');
      closing.push(() => server.close(), () => at.remove());
      // Claude Code asks for a login where it has no key at all: any word will do.
      const env = name === 'claude' ? `env: { ${keyName}: none }, ` : '';
      const local = providerOf(`{ kind: ${name}, command: ["${cli.program}"], base_url: "${server.url}${path}", ${env}models: { daily: qwen3-coder } }`);
      expect(await local.probe()).toEqual({ version: cli.version });
      const { report, left } = await supervised(local, at, { model: local.model('daily') });
      expect(report).toMatchObject({ ok: true, failure: null, report: 'The greeting is written.' });
      expect(readFileSync(join(at.cwd, 'copy.txt'), 'utf8')).toBe('hello\n');
      expect([...new Set(server.turns().map(({ model }) => model))]).toEqual(['qwen3-coder']);
      expect([left, server.turns().length, existsSync(join(at.cwd, 'greeting.txt'))]).toEqual([[], 3, true]);
    });

    test('a key that the machine keeps reaches the server, and no log', async () => {
      vi.stubEnv('HOUSE_MODEL_KEY', 'house-key-0123456789');
      const server = await modelServer([{ tool: 'bash', command: 'env' }, { text: 'Done with house-key-0123456789.' }]);
      const at = stage('local');
      closing.push(() => server.close(), () => at.remove());
      const local = providerOf(`{ kind: ${name}, command: ["${cli.program}"], base_url: "${server.url}${path}", env: { ${keyName}: "\${HOUSE_MODEL_KEY}" }, models: { daily: qwen3-coder } }`);
      const { report, log } = await supervised(local, at, { model: local.model(null) });
      expect(report).toMatchObject({ ok: true, report: 'Done with [redacted].' });
      expect(JSON.stringify(server.turns()[0]?.headers)).toContain('house-key-0123456789');
      expect(server.turns()[0]?.model).toBe('qwen3-coder');
      expect(log).not.toContain('house-key-0123456789');
    });
  });
}
