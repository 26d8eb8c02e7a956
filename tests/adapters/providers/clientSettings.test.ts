/** What cambium.yaml says of a provider (`env`, `models`, `base_url`), as every adapter takes it. */
import { afterEach, expect, test, vi } from 'vitest';
import { environmentOf, modelNamed } from '../../../src/adapters/providers/clientSettings.ts';
import { createProviders } from '../../../src/adapters/providers/registry.ts';
import { CLIENTS } from '../../../src/model/config.ts';
import { parseFleetConfig } from '../../../src/observe/fleetConfig.ts';
import { requestOf } from '../../support/spawnRequest.ts';

afterEach(() => void vi.unstubAllEnvs());

const OWN = { high: 'grand', daily: 'usual' };
const BASE = 'http://127.0.0.1:11434';

test.each([
  ['none asked for', null, null], ['a tier of its own', 'high', 'grand'], ['a tier that it has no model for', 'fast', null], ['another name', 'gemini-x', 'gemini-x'], ['what every object has', 'constructor', 'constructor'],
])('without models of the configuration: %s', (_, asked, named) => {
  expect(modelNamed({ models: {} }, asked, OWN)).toBe(named);
  // A gateway to the provider's own service knows its names.
  expect(modelNamed({ models: {}, baseUrl: BASE }, asked, OWN)).toBe(named);
});

test('models of the configuration go first, by tier and by any other name', () => {
  const config = { models: { high: 'mine', house: 'big' } };
  expect(['high', 'daily', 'fast', 'house', 'other', null].map((asked) => modelNamed(config, asked, OWN))).toEqual(['mine', 'usual', null, 'big', 'other', null]);
});

test('a service at base_url knows the models that are named for it, and no tier of the provider', () => {
  const two = { models: { high: 'qwen-big', daily: 'qwen' }, baseUrl: BASE };
  expect(['high', 'daily', 'fast', null, 'llama'].map((asked) => modelNamed(two, asked, OWN))).toEqual(['qwen-big', 'qwen', 'qwen', 'qwen', 'llama']);
  expect(['high', null].map((asked) => modelNamed({ models: { any: 'qwen' }, baseUrl: BASE }, asked, OWN))).toEqual(['qwen', 'qwen']);
  expect([null, 'high'].map((asked) => modelNamed({ models: { a: 'qwen', b: 'llama' }, baseUrl: BASE }, asked, OWN))).toEqual([null, null]);
});

test('a value ${NAME} is the machine\'s, and a name that the machine does not know is left out', () => {
  vi.stubEnv('HOUSE_KEY', 'of-this-machine');
  expect(environmentOf({ env: { A_KEY: '${HOUSE_KEY}', B_KEY: '${NO_SUCH_VARIABLE_HERE}', PLAIN: 'x ${HOUSE_KEY}', EMPTY: '' } })).toEqual({ A_KEY: 'of-this-machine', PLAIN: 'x ${HOUSE_KEY}', EMPTY: '' });
});

const FLEET = `schema: cambium.fleet/1
providers:
${CLIENTS.map((kind) => `  local-${kind}: { kind: ${kind}, base_url: "${BASE}/v1", env: { HOUSE_KEY: "\${HOUSE_KEY}" }, models: { daily: qwen3 } }`).join('\n')}
`;

test.each(CLIENTS)('an entry of the kind %s is a provider beside the one of that name: its address, environment and model reach the program', (kind) => {
  vi.stubEnv('HOUSE_KEY', 'of-this-machine');
  const parsed = parseFleetConfig(new TextEncoder().encode(FLEET));
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  const providers = createProviders(parsed.config.providers, { programs: { runbook: '/x/runbookMain.js' } });
  const [own, local] = [providers.get(kind), providers.get(`local-${kind}`)];
  const told = (provider: typeof own): string => {
    const spec = provider?.prepare(requestOf({ model: provider.model(null) }));
    return JSON.stringify([spec?.argv, spec?.env, spec?.files, spec?.home?.files]);
  };
  expect(local?.name).toBe(`local-${kind}`);
  expect([told(local).includes(BASE), told(local).includes('qwen3'), told(local).includes('of-this-machine')]).toEqual([true, true, true]);
  expect([told(own).includes(BASE), told(own).includes('qwen3')]).toEqual([false, false]);
  expect(local?.prepare(requestOf()).argv.join(' ')).not.toContain('of-this-machine');
});
