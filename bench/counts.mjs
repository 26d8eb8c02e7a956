/** What each verb costs in things that do not jitter: git processes, and fsyncs where strace is installed. */
import { appendFileSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cambium, cli, engine, makeClone, makeFleet, openLoop, taskFiles, taskId } from './support/lab.mjs';
import { run } from './support/processes.mjs';

export const title = 'What a verb costs in counts';
export const note = 'git processes on this side, with those that git starts itself; the hub’s side of a local push is left out. Counts do not jitter: where one changes, the program has changed.';

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
  // A fleet of its own: what the verbs above have left to tell would be told by these passes.
  const quiet = await makeFleet(lab, 'quiet', taskFiles(100));
  for (const [name, work] of Object.entries(await warmSteps(lab, await makeClone(lab, quiet.hub, 'quiet-a')))) {
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
    return onThisSide(folder).length;
  } finally {
    delete process.env.GIT_TRACE2_EVENT;
    rmSync(folder, { recursive: true });
  }
}

/** A session id is the ids of a process's git ancestors and its own, so that what the hub's programs start is told apart. */
function onThisSide(folder) {
  const starts = readdirSync(folder).flatMap((name) => {
    const line = readFileSync(join(folder, name), 'utf8').split('\n').find((text) => text.includes('"event":"start"'));
    return line === undefined ? [] : [JSON.parse(line)];
  });
  const hubs = starts.filter(({ argv }) => /(?:upload|receive)-pack$/.test(argv[0]) || /^(?:upload|receive)-pack$/.test(argv[1] ?? '')).map(({ sid }) => sid);
  return starts.filter(({ sid }) => !hubs.some((hub) => sid === hub || sid.startsWith(`${hub}/`)));
}

/** Steps in a process that runs already, its helpers started. */
async function warmSteps(lab, dir) {
  const { clone, loop } = await openLoop(dir);
  const [{ pass }, { claimTasks }] = await Promise.all([engine('cycle/pass.js'), engine('act/claim.js')]);
  for (let tries = 0; tries < 5; tries++) await pass(loop, { fullScan: true });
  const { node, reader } = loop.shop;
  const fleet = await clone.fleets.read(clone.mirror.known());
  const open = [...fleet.tasks.values()].filter(({ id }) => !fleet.chains.has(id));
  const claim = () => claimTasks(node, reader, [{ task: open.pop(), agent: 'worker-1', ttlMs: 180_000, maxAttempts: 3 }]);
  const look = () => pass(loop, { fullScan: false });
  return {
    // The first pass after something moved looks at the checkout anew; the one after it is the quiet one.
    'a pass that finds nothing': look,
    'a pass that sees three edits': async () => {
      for (const at of [0, 50, 99]) appendFileSync(join(dir, 'tasks', 's000', `${taskId(at)}.md`), 'changed\n');
      await look();
    },
    'the pass that publishes them': async () => {
      await node.clock.sleep(loop.shop.config().timings.settleMs + 5);
      await look();
    },
    'a claim in a running process': claim,
  };
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
