/** What `cambium prompt` shows is what an agent is told: held against what real spawns read on their standard input. */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cli, cliJson, cliPath } from '../support/cli.ts';
import type { Ran } from '../support/cli.ts';
import { gitIn } from '../support/repo.ts';
import { makeWorkspace } from '../support/workspace.ts';
import type { TestWorkspace } from '../support/workspace.ts';

/** An agent that keeps what it reads, under the id of its spawn, and reports every criterion as met. */
const COPIER = `import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
const said = readFileSync(0, 'utf8');
writeFileSync(\`\${process.env.COPY_TO}/\${process.env.CAMBIUM_SPAWN}\`, said);
const criteria = said.split('# Acceptance criteria')[1]?.split('\\n\\n')[1]?.split('\\n').map((line) => line.slice(2)) ?? [];
if (said.includes('# Your task: Look')) {
  const { stdout } = spawnSync(process.execPath, [process.env.CLI, 'prompt', '--task', process.env.CAMBIUM_TASK], { encoding: 'utf8' });
  writeFileSync(\`\${process.env.COPY_TO}/\${process.env.CAMBIUM_SPAWN}.seen\`, stdout);
  // Nothing reported: what is wrong with that comes with a second turn.
  if (!said.includes('# What was wrong with your last turn')) process.exit(0);
}
writeFileSync(process.env.CAMBIUM_RESULT_FILE, \`---\\noutcome: done\\ncriteria: \${JSON.stringify(criteria.map((text) => ({ text, met: true, evidence: 'seen' })))}\\n---\\nSeen, @human.\\n\`);
`;

let place: TestWorkspace;
const copies = (): string => join(place.root, '..', 'copies');
const run = (...args: string[]): Promise<Ran> => cli([...args, '--node', 'vm'], { cwd: place.root });
/** Output of a command that must end well. */
const out = async (...args: string[]): Promise<string> => {
  const { exit, stdout, stderr } = await cli(args, { cwd: place.root });
  expect(exit, stderr).toBe(0);
  return stdout;
};

beforeEach(async () => {
  place = await makeWorkspace();
  mkdirSync(copies());
  writeFileSync(join(place.root, '..', 'copier.mjs'), COPIER);
  gitIn(place.root, ['config', 'cambium.node', 'vm']);
  place.commit({
    'cambium.yaml': `schema: cambium.fleet/1
defaults: { provider: copier }
providers: { copier: { command: [${JSON.stringify(process.execPath)}, ${JSON.stringify(join(place.root, '..', 'copier.mjs'))}], env: { COPY_TO: ${JSON.stringify(copies())}, CLI: ${JSON.stringify(cliPath())} } } }
agents:
  worker-1: { role: worker, constitution: grounder }
  lead: { role: coordinator, constitution: ours }
`,
    'self-model.md': 'The fleet is small.\n', 'agents/worker-1.md': 'I am slow and sure.\n', 'memory/worker-1/working.md': 'The form is in web/.\n', 'memory/project/active.md': 'Login, this week.\n',
    'templates/constitutions/ours.md': '# Ours\n\nAsk for little.\n', 'docs/api.md': 'POST /login\n', 'docs/logo.png': 'PNG\u0000\u0001',
    'tasks/form.md': '---\ntitle: The form\nreview: human\ncontext_files: [docs/api.md, docs/logo.png]\nacceptance_criteria: [There is a form]\n---\n# Form\n\nMake it.\n',
    'tasks/other.md': '---\nassigned_to: helper\n---\n# Other\n', 'tasks/later.md': '---\nassigned_to: helper\ndepends_on: [form]\n---\n# Later\n', 'tasks/plan.md': '---\nrole: coordinator\n---\n# Plan\n\nPlan it.\n',
  });
});
afterEach(() => place.remove());

/** Lets one agent do what is there to do, and gives what its spawn read, with the placeholder for its id. */
async function toldInTruth(agent: string): Promise<string> {
  const before = readdirSync(copies());
  const { exit, stdout, stderr } = await run('up', '--agents', agent, '--until-idle');
  expect(exit, stdout + stderr).toBe(0);
  const [spawn = ''] = readdirSync(copies()).filter((name) => !before.includes(name));
  expect(spawn, stdout + stderr).toMatch(/^[0-9A-Z]{26}$/);
  return readFileSync(join(copies(), spawn), 'utf8').replaceAll(spawn, '<spawn>').replaceAll(spawn.toLowerCase(), '<spawn>');
}

describe('what is shown', () => {
  test('is what a worker reads at its first attempt, and at the one after a rejection', async () => {
    await out('task', 'claim', 'other', '--agent', 'helper');
    const first = await out('prompt', 'worker-1');
    for (const part of ['the form is', 'The fleet is small.', 'I am slow and sure.', '# Grounder', 'You are a worker of a cambium fleet', 'The form is in web/.', 'Login, this week.', 'POST /login', 'docs/logo.png', '- There is a form', 'Others work on: other (helper on vm)', '<spawn>/result.md']) expect(first.toLowerCase()).toContain(part.toLowerCase());
    expect(await toldInTruth('worker-1')).toBe(first);
    await out('task', 'reject', 'form', '--why', 'it is too red');
    const second = await out('prompt', 'worker-1', '--task', 'form');
    expect(second).toMatch(/What is known from before[\s\S]*too red/);
    expect(second).toContain('under claim epoch 2');
    expect(await toldInTruth('worker-1')).toBe(second);
  });

  test('is what a coordinator reads: the queue, the agents and the budgets', async () => {
    const shown = await out('prompt', 'lead');
    expect(shown).toMatch(/The queue: 1 blocked, 2 ready\.\n- later: blocked, priority 2: waits for form\n- form: ready, priority 2\n- other: ready[\s\S]*The agents:\n- worker-1: worker, copier, on any node; free\nThe fleet's limits: for today \$20\.00, of which \$0\.00 are spent; 4 agents at once/);
    expect(shown).toContain('You are the coordinator');
    expect(shown).toContain('Ask for little.');
    expect(await toldInTruth('lead')).toBe(shown);
  });

  test('is what an agent reads that is called in a channel', async () => {
    for (const task of ['form', 'plan', 'other', 'later']) await out('task', 'cancel', task);
    await out('send', '#design I think of an index');
    await out('send', '#design @worker-1 which one do we need?');
    const shown = await out('prompt', 'worker-1', '--channel', 'design');
    expect(shown).toMatch(/# What was said before in #design[\s\S]*I think of an index[\s\S]*# What was said to you in #design[\s\S]*which one do we need\?/);
    expect(shown).toContain('Answer once, then exit');
    expect(await toldInTruth('worker-1')).toBe(shown);
    expect(await run('prompt', 'worker-1', '--channel', 'design')).toMatchObject({ exit: 3, stderr: expect.stringContaining('Nothing calls for worker-1 in #design') });
  });
});

test('an agent at work is shown what it was given, in its second turn with what was wrong in the first', async () => {
  await out('task', 'add', 'Look', '--id', 'look', '--criterion', 'It was looked at', '--priority', '0');
  for (const task of ['form', 'plan', 'other', 'later']) await out('task', 'cancel', task);
  const { exit, stdout, stderr } = await run('up', '--agents', 'worker-1', '--until-idle');
  expect(exit, stdout + stderr).toBe(0);
  const [first = '', second = '', ...more] = readdirSync(copies()).filter((name) => !name.endsWith('.seen')).toSorted();
  expect([first !== '', second !== '', more], stdout + stderr).toEqual([true, true, []]);
  for (const spawn of [first, second]) expect(readFileSync(join(copies(), `${spawn}.seen`), 'utf8')).toBe(readFileSync(join(copies(), spawn), 'utf8').replaceAll(spawn, '<spawn>'));
  expect(readFileSync(join(copies(), second), 'utf8')).toMatch(/# What was wrong with your last turn[\s\S]*feedback\n[^\n]*It was looked at/);
});

describe('the command', () => {
  test('says the size of each part, and they add up', async () => {
    const { data } = await cliJson<{ prompt: string; tokens: number; budget_tokens: number; parts: { name: string; chars: number }[]; epoch: number }>(['prompt', 'worker-1', '--task', 'form'], { cwd: place.root });
    expect(data.parts.map(({ name }) => name)).toEqual(['who', 'self', 'role', 'task', 'criteria', 'context', 'memory', 'situation', 'report']);
    expect(data.parts.reduce((sum, { chars }) => sum + chars, 0)).toBe(data.prompt.length);
    expect(data).toMatchObject({ epoch: 1, budget_tokens: 60_000, tokens: Math.ceil(data.prompt.length / 4) });
    const sizes = await out('prompt', 'worker-1', '--task', 'form', '--sizes');
    expect(sizes).toMatch(/^part +characters +tokens\n[\s\S]*\nall +\d+ +\d+ +of 60000\n$/);
    expect(sizes).not.toContain('Make it.');
  });

  test('keeps to the budget of cambium.yaml, and says what it cut', async () => {
    place.commit({ 'cambium.yaml': `${readFileSync(join(place.root, 'cambium.yaml'), 'utf8')}limits: { prompt_tokens: 4500 }\n`, 'docs/api.md': 'POST /login\n'.repeat(5_000) });
    await out('sync');
    const { data } = await cliJson<{ tokens: number; parts: { name: string; cut: number }[] }>(['prompt', 'worker-1', '--task', 'form'], { cwd: place.root });
    expect(data.tokens).toBeLessThanOrEqual(4_500);
    expect(data.parts.find(({ name }) => name === 'context')?.cut).toBeGreaterThan(40_000);
    expect(await out('prompt', 'worker-1', '--task', 'form')).toMatch(/docs\/api\.md \(blob [0-9a-f]{40}\), shortened to keep within the budget/);
  });

  test.each([
    [['prompt', 'worker-1', '--task', 'nope'], 1, 'There is no task nope'],
    [['prompt'], 2, 'Which agent acts?'],
    [['prompt', 'worker-1', '--task', 'form', '--channel', 'x'], 2, 'for a task or for a channel'],
    [['prompt', 'worker-1', '--channel', '#design'], 2, "no channel's name"],
    [['prompt', 'helper', '--task', 'form'], 0, 'cambium.yaml names no agent helper'],
    [['prompt', 'worker-1', '--task', 'plan'], 0, 'worker-1 may not take plan: it needs the role coordinator'],
    [['prompt', 'worker-1', '--task', 'later'], 0, 'later is blocked (waits for form): this is what the next claim would begin with'],
  ])('%j ends with %i and tells why', async (args, exit, word) => {
    const ran = await run(...args);
    expect(ran).toMatchObject({ exit, stderr: expect.stringContaining(word) });
    expect(ran.stdout === '').toBe(exit !== 0);
  });
});
