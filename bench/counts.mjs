/** What each verb costs in things that do not jitter: git processes, and fsyncs where strace is installed. */
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cambium, cli, engine, makeClone, makeFleet, openLoop, taskFiles } from './support/lab.mjs';
import { run } from './support/processes.mjs';

export const title = 'What a verb costs in counts';
export const note = 'git processes that this clone starts (with those that git starts itself, the hub’s side of a local push apart). These do not jitter, so a change of a count is a change of the program.';

const VERBS = {
  'task list': () => ['task', 'list'], 'task ready': () => ['task', 'ready'], status: () => ['status'], 'task show': () => ['task', 'show', 't0000000'],
  'task add': () => ['task', 'add', 'One more'], sync: () => ['sync'], 'task claim': () => ['task', 'claim', '--agent', 'worker-1'],
};

export async function bench(lab) {
  const { hub } = await makeFleet(lab, 'counts', taskFiles(100));
  const dir = await makeClone(lab, hub, 'counts-a');
  const rows = [];
  for (const [name, args] of Object.entries(VERBS)) {
    rows.push(count(`${name}, git processes`, await gitProcesses(lab, (env) => cambium(lab, dir, args(), { env, ok: [0, 1] }))));
  }
  for (const [name, work] of Object.entries(await warmSteps(lab, dir))) {
    rows.push(count(`${name}, git processes`, await gitProcesses(lab, work)));
  }
  return [...rows, ...(await fsyncs(lab, dir))];
}

const count = (what, value) => ({ what, unit: '', median: value, low: value, high: value, n: 1, against: null, ratio: null, aim: null, met: null, note: null });

/** Git itself tells of each of its processes: one file a process in the folder that GIT_TRACE2_EVENT names. */
async function gitProcesses(lab, work) {
  const folder = join(lab.root, 'trace');
  mkdirSync(folder);
  try {
    process.env.GIT_TRACE2_EVENT = folder;
    await work({ ...lab.env, GIT_TRACE2_EVENT: folder });
    return readdirSync(folder).length;
  } finally {
    delete process.env.GIT_TRACE2_EVENT;
    rmSync(folder, { recursive: true });
  }
}

/** Steps in a process that runs already, its helpers started. */
async function warmSteps(lab, dir) {
  const { clone, loop } = await openLoop(dir);
  const [{ pass }, { claimTasks }] = await Promise.all([engine('cycle/pass.js'), engine('act/claim.js')]);
  for (let tries = 0; tries < 3; tries++) await pass(loop, { fullScan: true });
  const { node, reader } = loop.shop;
  const fleet = await clone.fleets.read(clone.mirror.known());
  const open = [...fleet.tasks.values()].filter(({ id }) => !fleet.chains.has(id));
  const claim = () => claimTasks(node, reader, [{ task: open.pop(), agent: 'worker-1', ttlMs: 180_000, maxAttempts: 3 }]);
  await claim();
  return { 'a pass that finds nothing': () => pass(loop, { fullScan: false }), 'a claim in a running process': claim };
}

/** Nothing where strace is missing: it is no part of the project. */
async function fsyncs(lab, dir) {
  const has = await run('strace', ['-V'], { env: lab.env }).then(() => true, () => false);
  if (!has) return [];
  const log = join(lab.root, 'strace.log');
  await run('strace', ['-f', '-qq', '-e', 'trace=fsync,fdatasync,execve', '-o', log, process.execPath, cli, 'task', 'claim', '--agent', 'worker-1', '--json'], { cwd: dir, env: lab.env, ok: [0, 1] });
  const lines = readFileSync(log, 'utf8').split('\n');
  return [count('task claim, fsyncs of all processes', lines.filter((line) => /\bf(?:data)?sync\(/.test(line)).length)];
}
