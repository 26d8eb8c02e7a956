/**
 * Every command of the pages that agents read, run in the order in which it stands there, in a fresh workspace with real
 * git and the built program. A command that a page names and this file does not know is red, and the other way round.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ran } from '../support/cli.ts';
import { commandsOf, examplesOf, page } from '../support/pages.ts';
import { GREETING, claimAnother, keep, makePlace, must, runsAll } from '../support/place.ts';
import type { Claimed, Place, Step } from '../support/place.ts';
import { gitIn, tempDir } from '../support/repo.ts';

const WORKER = 'templates/WORKER_CLAUDE.md';
const COORDINATOR = 'templates/COORDINATOR_CLAUDE.md';

describe('the commands of the worker template', () => {
  const COMPLETE = 'cambium task complete <task> --epoch <epoch> --result .cambium/report.md --json';
  const report = (): string => /```markdown\n([^]*?)```/.exec(page(WORKER))?.[1]?.replace(/text: "[^"]*"/, 'text: "greeting.txt says Hello"') ?? '';

  runsAll(WORKER, [
    { line: 'cambium worker register --capabilities node', says: /helper has joined/ },
    { line: 'cambium worker heartbeat', says: /nothing to renew/ },
    { line: 'cambium status', says: /1 ready/ },
    { line: 'cambium task list --state held --json', says: /"tasks":\[\]/ },
    { line: 'cambium message list --inbox "$CAMBIUM_AGENT"', before: (place) => must(place.person('message', 'send', 'The tone is friendly', '--to', 'helper')), says: /to helper\n {2}The tone is friendly/ },
    { line: 'cambium task claim --json', after: (place, ran) => {
      const { data } = JSON.parse(ran.stdout) as { data: Claimed & Record<string, unknown> };
      for (const key of ['task', 'epoch', 'title', 'instruction', 'context', 'acceptance_criteria', 'verify', 'worktree', 'base', 'ttl_s', 'feedback']) {
        expect(Object.keys(data)).toContain(key);
        expect(page(WORKER)).toContain(`\`${key}\``);
      }
      keep(place, data);
    } },
    { line: 'cambium task renew <task> --epoch <epoch>', says: /renewed/ },
    {
      line: 'cambium task show <task>', says: /Say it loud/,
      before: async (place) => {
        writeFileSync(join(place.words.get('worktree') ?? '', 'greeting.txt'), 'Hello\n');
        place.write('.cambium/report.md', report());
        place.write('.cambium/loud.md', '# Say it loud\n');
        await must(place.person('task', 'edit', 'greeting', '--body', '.cambium/loud.md'));
        const refused = await place.line(COMPLETE);
        expect(refused).toMatchObject({ exit: 1 });
        expect(refused.stdout).toMatch(/"code":"refused".*--accept-edit/);
      },
    },
    { line: 'cambium task renew <task> --epoch <epoch> --accept-edit', says: /renewed/ },
    {
      line: COMPLETE, says: /"outcome":"done"/,
      after: async (place, ran) => {
        expect(place.read('greeting.txt')).toBe('Hello\n');
        expect(place.read('tasks/greeting.result.md')).toMatch(/evidence: "node --test/);
        expect(place.read('report.md'), 'the report lands as a result, not as a file').toBeNull();
        expect(JSON.parse((await place.line(COMPLETE)).stdout), 'asked again, it gives the same answer').toEqual(JSON.parse(ran.stdout));
      },
    },
    {
      line: 'cambium task fail <task> --epoch <epoch> --reason "docs/api.md and the tests contradict each other on the status code" --result .cambium/report.md',
      before: (place) => claimAnother(place, 'contradiction'), says: /has failed/, after: (place) => expect(place.read('tasks/contradiction.result.md')).toMatch(/contradict each other/),
    },
    { line: 'cambium task release <task> --epoch <epoch> --reason "no network here to fetch the data"', before: (place) => claimAnother(place, 'far-away'), says: /ready again/ },
    {
      line: 'cambium worker continue --max-idle 0s', says: /Stop: nothing is ready/, exit: 3,
      before: async (place) => {
        expect(await place.line('cambium worker continue --max-idle 0s')).toMatchObject({ exit: 0, stdout: expect.stringMatching(/1 task is ready/) as unknown });
        await must(place.person('task', 'cancel', 'far-away'));
      },
    },
  ], () => makePlace('helper'), (place) => must(place.person('task', 'add', 'Write a greeting', '--id', 'greeting', ...GREETING)));
});

/** `coder` does by plain means what the instruction in its prompt asks for; `idler` does nothing and ends well. Both keep what they were told. */
const AGENT = `
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
const { CAMBIUM_PROMPT_FILE, CAMBIUM_RESULT_FILE, CAMBIUM_TASK, HEARD } = process.env;
const prompt = readFileSync(CAMBIUM_PROMPT_FILE, 'utf8');
const stdin = readFileSync(0, 'utf8');
appendFileSync(HEARD, JSON.stringify({ task: CAMBIUM_TASK, cwd: process.cwd(), prompt, same: stdin === prompt, env: process.env }) + '\\n');
if (process.argv[2] !== 'coder') process.exit(0);
// What else it is told (its role's page, its place) speaks of other routes.
const asked = prompt.slice(prompt.indexOf('# Your task'));
const [, route] = /GET (\\/[a-z]+)/.exec(asked);
const name = route.slice(1);
const message = /\\{"message":"[^"]*"\\}/.exec(asked)?.[0];
mkdirSync('src/routes', { recursive: true });
mkdirSync('test', { recursive: true });
writeFileSync('src/routes/' + name + '.mjs', 'export default { path: ' + JSON.stringify(route) + ', answer: () => (' + (message ?? '{ time: new Date().toISOString() }') + ') };\\n');
writeFileSync('test/' + name + '.test.mjs', [
  "import assert from 'node:assert/strict';", "import test from 'node:test';", "import { start } from '../src/server.mjs';",
  'test(' + JSON.stringify(route) + ', async () => {', '  const { port, close } = await start(0);', '  const answer = await fetch(\`http://127.0.0.1:\${port}' + route + '\`);', '  assert.equal(answer.status, 200);',
  message === undefined ? '  assert.ok(Date.parse((await answer.json()).time));' : '  assert.deepEqual(await answer.json(), ' + message + ');', '  await close();', '});', ''].join('\\n'));
const criteria = asked.split('# Acceptance criteria')[1].split('\\n# ')[0].split('\\n').filter((line) => line.startsWith('- ')).map((line) => ({ text: line.slice(2), met: true, evidence: 'node --test' }));
writeFileSync(CAMBIUM_RESULT_FILE, '---\\ncriteria: ' + JSON.stringify(criteria) + '\\n---\\nAdded ' + route + '.\\n');
`;

const SKELETON = `---
title: The skeleton of the API
provider: runbook
priority: 0
---
\`\`\`sh
mkdir -p src docs
printf 'A file of src/routes/ exports { path, answer() }; what answer gives is sent as JSON.\\n' > docs/api.md
cat > src/server.mjs <<'END'
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
const folder = new URL('./routes/', import.meta.url);
const names = existsSync(folder) ? readdirSync(folder) : [];
const routes = await Promise.all(names.map(async (name) => (await import(new URL(name, folder).href)).default));
export const start = (port = 0) => new Promise((resolve) => {
  const server = createServer((request, response) => {
    const route = routes.find(({ path }) => path === request.url);
    response.writeHead(route === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(route?.answer() ?? {}));
  });
  const close = () => new Promise((closed) => { server.closeAllConnections(); server.close(closed); });
  server.listen(port, '127.0.0.1', () => resolve({ port: server.address().port, close }));
});
END
\`\`\`
`;

/** The agent program and what it heard stand beside the workspace, out of the tree. */
async function makeTeam(mode: 'coder' | 'idler', agent = 'lead'): Promise<Place & { heard(): readonly Heard[] }> {
  const dir = tempDir('team');
  const [program, heard] = [join(dir.path, 'agent.mjs'), join(dir.path, 'heard.jsonl')];
  writeFileSync(program, AGENT);
  const place = await makePlace(agent, `schema: cambium.fleet/1
branch: main
timings: { ttl: 30s, fetch: 300ms, rescan: 5s }
defaults: { provider: runbook, max_attempts: 1, timeout_minutes: 5 }
agents:
  worker-1: { role: worker, node: "*", provider: runbook }
  coder: { role: worker, node: "*", provider: mycli }
providers:
  mycli: { command: [${JSON.stringify(process.execPath)}, ${JSON.stringify(program)}, ${mode}], env: { HEARD: ${JSON.stringify(heard)} } }
`);
  const lines = (): readonly Heard[] => (existsSync(heard) ? readFileSync(heard, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Heard) : []);
  return { ...place, heard: lines, remove: () => { place.remove(); dir.remove(); } };
}

interface Heard {
  readonly task: string;
  readonly cwd: string;
  readonly prompt: string;
  readonly same: boolean;
  readonly env: Readonly<Record<string, string>>;
}

const untilIdle = (place: Place): Promise<Ran> => must(place.person('up', '--until-idle', '--node', 'here'));
const stateOf = async (place: Place, id: string): Promise<string | undefined> => (await place.json<{ tasks: { id: string; state: string }[] }>(['task', 'list'])).data.tasks.find((task) => task.id === id)?.state;
const example = (path: string): string => examplesOf(page(COORDINATOR)).find((one) => one.path === path)?.text ?? '';
const saveExamples = (place: Place, ...paths: readonly string[]): void => paths.forEach((path) => place.write(path, example(path)));

/** Each landing of it meets another's file of the same name, pushed to the hub meanwhile: it ends waiting for a person. */
const CONFLICT = (hub: string): string => `---\ntitle: Meets another\nprovider: runbook\n---\n\`\`\`sh
other=$(mktemp -d)
git clone -q '${hub}' "$other"
echo "theirs $other" > "$other/same.txt"
git -C "$other" add same.txt
git -C "$other" -c user.name=x -c user.email=x@example.org commit -q -m 'another was first'
git -C "$other" push -q origin HEAD:main
rm -rf "$other"
echo mine > same.txt
\`\`\`
`;

describe('the commands of the coordinator template', () => {
  const ready = (id: string, ...more: readonly string[]) => async (place: Place): Promise<void> => {
    await must(place.person('task', 'add', `Wait for ${id}`, '--id', id, '--assign', 'nobody-yet', ...more));
    place.words.set('task', id);
  };
  const forReview = (id: string) => async (place: Place): Promise<void> => {
    place.write(`tasks/${id}.md`, `---\nprovider: runbook\nreview: lead\n---\n# ${id}\n\n\`\`\`sh\necho ${id} > ${id}.txt\n\`\`\`\n`);
    await untilIdle(place);
    expect(await stateOf(place, id)).toBe('review');
    place.words.set('task', id);
  };

  runsAll(COORDINATOR, [
    { line: 'cambium status', says: /no tasks yet/ },
    { line: 'cambium worker list', says: /coder +idle[^]*worker-1 +idle/ },
    { line: 'cambium task list', says: /No tasks/ },
    { line: 'cambium log -n 20', says: /settings/ },
    { line: 'cambium message list', says: /Nothing was said/ },
    {
      line: 'cambium task add "Serve GET /time" --id api-time --body time.md --assign coder --priority 1 --depends api-skeleton --context docs/api.md,src/server.mjs --criterion "GET /time answers 200 with the time in ISO 8601" --verify "node --test test/time.test.mjs"',
      before: async (place) => {
        place.write('time.md', '## Objective\nThe server answers GET /time.\n');
        place.write('tasks/api-skeleton.md', SKELETON);
      },
      says: /api-time is on the hub/,
    },
    { line: 'cambium check tasks/api-hello.md tasks/api-report.md', before: async (place) => saveExamples(place, 'tasks/api-hello.md', 'tasks/api-report.md'), says: /2 files checked/ },
    {
      line: 'cambium sync', says: /3 edits published/,
      after: async (place) => {
        await untilIdle(place);
        for (const id of ['api-skeleton', 'api-hello', 'api-time', 'api-report']) expect(await stateOf(place, id), id).toBe('done');
        expect(place.read('reports/api-tests.txt')).toMatch(/^# pass 2$/m);
        expect(place.read('tasks/api-hello.result.md')).toMatch(/src\/server\.mjs is unchanged, met: true/);
      },
    },
    { line: 'cambium explain <task>', before: ready('lonely'), says: /lonely[^]*nobody-yet/ },
    { line: 'cambium task show <task>', says: /lonely/ },
    { line: 'cambium log --task <task>', says: /lonely: add/ },
    { line: 'cambium log --decisions --task <task>', before: async ({ words }) => void words.set('task', 'api-hello'), says: /claim +api-hello/ },
    {
      line: 'cambium task retry <task> --reason "docs/api.md names the status code now"',
      before: async (place) => {
        place.write('tasks/red.md', '---\nprovider: runbook\nverify: "false"\n---\n```sh\necho red > red.txt\n```\n');
        await untilIdle(place);
        expect(await stateOf(place, 'red')).toBe('failed');
        place.words.set('task', 'red');
      },
      says: /red is ready again/,
    },
    { line: 'cambium task edit <task> --body better.md --verify "node --test test/time.test.mjs"', before: async (place) => place.write('better.md', '# Better\n\n```sh\necho better > red.txt\n```\n'), says: /red is changed/ },
    {
      line: 'cambium task release <task> --reason "Keep both routes; the newer file name wins"', says: /ready again/,
      before: async (place) => {
        place.write('tasks/meets.md', CONFLICT(join(place.path, '.git/cambium/hub.git')));
        await untilIdle(place);
        expect(await stateOf(place, 'meets')).toBe('input');
        expect(await stateOf(place, 'red'), 'and what was retried with a better text is done').toBe('done');
        place.words.set('task', 'meets');
      },
    },
    { line: 'cambium task cancel <task> --reason "api-hello covers it"', says: /cancelled/ },
    { line: 'cambium show <task>', before: forReview('seen'), says: /what it changed[^]*\+seen/ },
    {
      line: 'cambium task approve <task> --commit <commit> --why "test covers the empty name"', says: /approved/,
      before: async ({ json, words }) => {
        const { data } = await json<{ commits: { oid: string }[] }>(['show', 'seen']);
        words.set('commit', data.commits[0]?.oid ?? '');
      },
      after: async (place) => {
        await untilIdle(place);
        expect(place.read('seen.txt')).toBe('seen\n');
      },
    },
    {
      line: 'cambium task reject <task> --why "the empty name is not handled: answer 400, see docs/api.md"', before: forReview('unseen'), says: /rejected/,
      after: async (place) => {
        const { data } = await place.json<{ feedback: string }>(['task', 'claim', 'unseen', '--agent', 'helper']);
        expect(data.feedback).toMatch(/the empty name is not handled/);
      },
    },
  ], () => makeTeam('coder'));
});

describe('what the templates say of instruction files and of a spawned agent', () => {
  let place: Awaited<ReturnType<typeof makeTeam>>;

  beforeAll(async () => {
    place = await makeTeam('idler');
    place.write('tasks/api-skeleton.md', SKELETON);
    saveExamples(place, 'tasks/api-hello.md', 'tasks/hello-endpoint.md');
    await untilIdle(place);
  }, 120_000);
  afterAll(() => place?.remove());

  it('an agent that does nothing at all ends the bad task as done, and the good one as failed', async () => {
    expect(await stateOf(place, 'hello-endpoint')).toBe('done');
    expect(await stateOf(place, 'api-hello')).toBe('failed');
    expect(place.read('tasks/api-hello.result.md')).toMatch(/Not met: GET \/hello answers 200/);
  });

  it('a spawned agent finds what the worker template says: place, variables, prompt and report file', () => {
    const [heard] = place.heard().filter(({ task }) => task === 'api-hello');
    const told = [...page(WORKER).matchAll(/`(CAMBIUM_[A-Z_]+)`/g)].map(([, name = '']) => name);
    expect(told).toContain('CAMBIUM_RESULT_FILE');
    for (const name of told) expect(heard?.env[name], name).toBeTruthy();
    expect(heard).toMatchObject({ same: true, env: { CAMBIUM_AGENT: 'coder', CAMBIUM_TASK: 'api-hello', CAMBIUM_EPOCH: '1' } });
    expect(heard?.cwd).toBe(join(place.path, '.cambium/worktrees/api-hello-1'));
    for (const part of ['# Serve GET /hello', 'export const start', '# Acceptance criteria', 'src/server.mjs is unchanged']) expect(heard?.prompt).toContain(part);
  });

  it('what was wrong comes back once, under the heading that the worker template names', () => {
    const heading = /has "([^"]+)", mend/.exec(page(WORKER))?.[1] ?? '-';
    const turns = place.heard().filter(({ task }) => task === 'api-hello').map(({ prompt }) => prompt.includes(`# ${heading}`));
    expect(turns).toEqual([false, true]);
  });

  it('the task that names what does not exist is found by check before it is published, and never starts', async () => {
    saveExamples(place, 'tasks/api-clock.md');
    const { exit, stdout } = await place.person('check', 'tasks/api-clock.md');
    expect(exit).toBe(1);
    for (const name of ['skeleton', 'docs/api-spec.md', 'backend']) expect(stdout).toContain(name);
    await untilIdle(place);
    expect(await stateOf(place, 'api-clock')).toBe('blocked');
  }, 60_000);

  it('the model instruction file runs as it is', async () => {
    place.write('tasks/list-changes.md', page('templates/task.md'));
    await untilIdle(place);
    expect(await stateOf(place, 'list-changes')).toBe('done');
    expect(place.read('docs/changes.md')).toMatch(/^# Latest changes\n\n(- .+ \(\d{4}-\d\d-\d\d\)\n)+$/);
  }, 60_000);

  it('reopening what is done is not an agent\'s to say', async () => {
    expect(await place.line('cambium task reopen list-changes --json')).toMatchObject({ exit: 1 });
    expect(await place.person('task', 'reopen', 'list-changes', '--reason', 'newer changes')).toMatchObject({ exit: 0 });
  }, 60_000);
});

describe.each(['templates/AGENTS.md', 'AGENTS.md', 'tasks/README.md'])('the commands of %s', (path) => {
  const known: Readonly<Record<string, Step>> = {
    'cambium status': { line: 'cambium status', says: /no tasks yet/ },
    'cambium task list': { line: 'cambium task list', says: /No tasks/ },
    'cambium task ready': { line: 'cambium task ready', says: /Nothing is ready/ },
    'cambium check': { line: 'cambium check', says: /all good/ },
  };
  runsAll(path, commandsOf(page(path)).map((line) => known[line] ?? { line: `unknown here: ${line}` }), () => makePlace('helper'));
});

describe('a workspace of `cambium init`', () => {
  it('has the pages for agents, as they are shipped, and leaves those that are there', async () => {
    const place = await makePlace('helper');
    try {
      const shipped = { 'AGENTS.md': 'templates/AGENTS.md', 'CLAUDE.md': 'templates/CLAUDE.md', [WORKER]: WORKER, [COORDINATOR]: COORDINATOR, 'templates/task.md': 'templates/task.md' };
      for (const [path, source] of Object.entries(shipped)) expect(place.read(path), path).toBe(page(source));
      for (const path of ['tasks/README.md', 'agents/README.md', 'memory/README.md']) expect(place.read(path), path).toBe(page(path));
      expect(gitIn(place.path, ['status', '--porcelain'])).toBe('');
      gitIn(place.path, ['rm', '--quiet', 'CLAUDE.md']);
      place.write('AGENTS.md', '# Ours\n');
      gitIn(place.path, ['commit', '--quiet', '--all', '-m', 'our own']);
      await must(place.person('init'));
      expect(place.read('AGENTS.md')).toBe('# Ours\n');
    } finally {
      place.remove();
    }
  }, 60_000);
});
