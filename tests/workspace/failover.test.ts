/** A CLI that says what the real one said when its limit was reached, and a spare one that does the work: real git, real processes. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import type { ProvidersRecord } from '../../src/model/providers.ts';
import { cli, cliJson } from '../support/cli.ts';
import { tempDir, until } from '../support/temp.ts';
import { makeWorkspace } from '../support/workspace.ts';
import type { TestWorkspace } from '../support/workspace.ts';

const SAID = new URL('../fixtures/clients/claude/error-429-exhausted.jsonl', import.meta.url).pathname;
const programs = tempDir('failover');
let place: TestWorkspace;

function program(name: string, script: string): string {
  const path = join(programs.path, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

const CONFIG = (fallback: string): string => `schema: cambium.fleet/1
agents:
  ann: { role: worker, node: vm, provider: claude, fallback: [${fallback}] }
providers:
  claude: { command: ["${program('claude', `case "$*" in *--version*) echo "2.1.329 (Claude Code)"; exit 0;; esac\ncat > /dev/null\necho begun > half.txt\ncat '${SAID}'\nexit 1`)}"] }
  spare: { command: ["${program('spare', 'cp "$CAMBIUM_PROMPT_FILE" prompt.txt\ncat half.txt > whole.txt\necho ended >> whole.txt\necho "It is whole." > "$CAMBIUM_RESULT_FILE"')}"] }
`;

beforeEach(async () => {
  place = await makeWorkspace({ 'cambium.yaml': CONFIG('spare'), 'tasks/job.md': '---\ntitle: A job\n---\n# Job\n\nMake it whole.\n' });
});
afterEach(() => place.remove());
afterAll(() => programs.remove());

interface Cycled {
  readonly events: readonly { readonly event: string }[];
  readonly running: readonly string[];
}

const ask = async <T>(...words: readonly string[]): Promise<T> => {
  const reply = await cliJson<T>([...words], { cwd: place.root });
  if (!reply.ok) throw new Error(`cambium ${words.join(' ')}: ${JSON.stringify(reply)}`);
  return reply.data;
};

/** Cycles until the hub shows what is waited for. */
const cycleUntil = (look: () => boolean): Promise<true> => until(async () => {
  await cli(['cycle', '--node', 'vm'], { cwd: place.root });
  return look() ? true : null;
}, 90_000);

const parks = (): ProvidersRecord['parks'] => (JSON.parse(place.onMain('agents/providers/vm.json') ?? '{"parks":[]}') as ProvidersRecord).parks;

test('the spare provider goes on from what the first had left, under the same claim, and people see why', async () => {
  await cycleUntil(() => place.onMain('tasks/job.result.md') !== null);
  expect(place.onMain('whole.txt')).toBe('begun\nended');
  expect(place.onMain('prompt.txt')).toContain('Another provider (claude) had begun this task');
  expect(place.onMain('tasks/job.result.md')).toMatch(/outcome: done\nepoch: 1\n[^]*attempts: 1\n[^]*provider: spare\n/);
  expect(parks()).toMatchObject([{ provider: 'claude', node: 'vm', failure: 'rate_limit', until: expect.stringMatching(/Z$/) }]);
  const { providers } = await ask<{ providers: readonly object[] }>('provider', 'list');
  expect(providers.slice(0, 2)).toMatchObject([{ name: 'claude', version: '2.1.329', agents: ['ann'], parks: [{ failure: 'rate_limit' }] }, { name: 'spare', fallbackOf: ['ann'], parks: [] }]);
  expect((await cli(['provider', 'list'], { cwd: place.root })).stdout).toMatch(/^claude +parked +2\.1\.329 +ann\nspare +there .*\n[^]*\nclaude is parked on vm until 20\S+Z \(rate limit\): claude failed: /);
});

test('without a spare the task waits with the reason; nothing is started until a person resumes the provider', async () => {
  place.commit({ 'cambium.yaml': CONFIG('') });
  await cycleUntil(() => parks().length > 0);
  // Nothing is to be done now, however often it is looked.
  const again = await ask<Cycled>('cycle', '--node', 'vm');
  expect([again.events.filter(({ event }) => event === 'spawn started'), again.running]).toEqual([[], []]);
  const told = await ask<{ state: string; why: readonly string[]; mend: readonly string[] }>('explain', 'job');
  expect(told).toMatchObject({ state: 'waiting', mend: ['Sooner with `cambium provider resume claude`.', 'It becomes ready by itself then.'] });
  expect(told.why[0]).toMatch(/^claude is parked on vm until 20\S+Z \(rate limit: claude failed: .*\(in \d+ s\)$/);
  expect(await ask('provider', 'resume', 'claude')).toMatchObject({ changed: true, stop: { resumed: { claude: { by: expect.stringContaining('human:') } } } });
  expect((await ask<Cycled>('cycle', '--node', 'vm')).events.map(({ event }) => event)).toContain('spawn started');
  await cycleUntil(() => parks()[0]?.resumed !== null);
  // It was asked by a person's wish: the wait begins anew.
  expect(parks()[0]?.times).toBe(1);
}, 180_000);
