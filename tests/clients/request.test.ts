/** From one sentence to a running fleet, with the real Claude Code as coordinator: it cuts the request, is told, adds, and reports. */
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { fsck, makeFleet } from '../support/fleet.ts';
import { modelServer } from './modelServer.ts';
import { describeClient } from './scene.ts';

const script = (name: string): string => fileURLToPath(new URL(`../support/${name}`, import.meta.url));
const FIXTURES = fileURLToPath(new URL('../fixtures/source', import.meta.url));
const closing: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

await describeClient('claude', ({ program }) => {
  test('the source\'s small web API is built on two machines, in two rounds, and reported', async () => {
    // What a model would think of is written down; reading the prompt, running the tool and reporting are the CLI's own.
    const server = await modelServer([
      { tool: 'bash', command: `CAMBIUM_PROMPT_FILE="$(dirname "$CAMBIUM_RESULT_FILE")/prompt.md" '${process.execPath}' '${script('literalCoordinator.mjs')}' '${FIXTURES}' ''` },
      { text: 'Reported.' },
    ]);
    closing.push(() => server.close());
    const providers = {
      claude: { command: [program], base_url: server.url, env: { ANTHROPIC_API_KEY: 'sk-ant-dummy-key-for-tests' } },
      worker: { kind: 'command', command: [process.execPath, script('literalAgent.mjs')] },
    };
    const fleet = await makeFleet({
      config: [
        'schema: cambium.fleet/1', 'branch: main', 'timings: { ttl: 60s, fetch: 500ms, rescan: 5s }', 'defaults: { provider: worker, max_attempts: 1, timeout_minutes: 5 }',
        'agents:', '  lead: { role: coordinator, node: vm-a, provider: claude }', '  worker-1: { role: worker, node: vm-a }', '  worker-2: { role: worker, node: vm-b }', `providers: ${JSON.stringify(providers)}`, '',
      ].join('\n'),
    });
    closing.push(() => fleet.close());
    for (const name of ['vm-a', 'vm-b']) (await fleet.seat(name)).up();
    const asked = await fleet.home.cambium(['request', 'Build a small web API with /hello and /time, with tests.', '--wait', '150s']);
    expect([asked.exit, asked.stdout.includes('Done: 4 tasks.')], asked.stdout + asked.stderr).toEqual([0, true]);
    expect(asked.stdout).toContain('flask-hello: done by worker-2 on vm-b');
    expect(fleet.onMain('flask-demo/app.py')).toContain('/time');
    // Three answers of Claude: the cut, the round that adds the tests, the report.
    expect(server.turns().filter(({ replies }) => replies === 0).map(({ prompt }) => [...prompt.matchAll(/\bRound (\d+) of the request/g)].at(-1)?.[1] ?? 'the request')).toEqual(['the request', '1', '2']);
    expect(fsck(fleet.hub)).toBe('');
  });
});
