/** Claims a second when 1, 2, 4 and 8 clones claim at once, against bare `git push` of a new ref by as many clones. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { cambium, copyClone, dist, git, makeClone, makeFleet, taskFiles } from './support/lab.mjs';
import { endChild } from './support/processes.mjs';
import { row } from './support/stats.mjs';

export const title = 'Claims a second, by the number of clones';
export const note = 'All clones on this one machine, one hub in a folder, refs packed between the turns. “process” is one long-lived process a clone, which reads, chooses and claims one task after the other; “cli” starts `cambium task claim` anew for each, with its worktree of 400 files. A process asks the hub again only after a lost race. A try is a push for a task; more than one a claim means races lost.';

const WAYS = [1, 2, 4, 8];

export async function bench(lab, { full }) {
  const turnMs = full ? 5_000 : 1_200;
  const turns = full ? 5 : 3;
  const tasks = full ? 9_000 : 3_000;
  const { hub } = await makeFleet(lab, 'many', taskFiles(tasks));
  const first = await makeClone(lab, hub, 'n1');
  const dirs = [first];
  for (let at = 2; at <= Math.max(...WAYS); at++) dirs.push(await copyClone(lab, first, `n${at}`));
  const claimants = dirs.map((dir, at) => startClaimant(lab, dir, `worker-${at + 1}`));
  try {
    await Promise.all(claimants.map(({ ready }) => ready));
    const rows = [];
    for (const ways of WAYS) rows.push(...(await measure(lab, hub, claimants.slice(0, ways), { turnMs, turns })));
    return [...rows, ...(await benchCli(lab, turnMs * 2))];
  } finally {
    await Promise.all(claimants.map(({ child }) => endChild(child)));
  }
}

/** In a small workspace: a worktree of thousands of files would be all that is measured. */
async function benchCli(lab, turnMs) {
  const { hub } = await makeFleet(lab, 'cli', taskFiles(400));
  const dirs = [await makeClone(lab, hub, 'c1')];
  for (let at = 2; at <= Math.max(...WAYS); at++) dirs.push(await copyClone(lab, dirs[0], `c${at}`));
  const rows = [];
  for (const ways of WAYS) rows.push(await measureCli(lab, hub, dirs.slice(0, ways), turnMs));
  return rows;
}

function startClaimant(lab, dir, name) {
  const child = fork(fileURLToPath(new URL('support/claimant.mjs', import.meta.url)), [dir, name], { cwd: dir, env: { ...lab.env, CAMBIUM_DIST: dist }, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const answer = () => new Promise((resolve, reject) => {
    child.once('message', (message) => (message.error === undefined ? resolve(message) : reject(new Error(message.error))));
    child.once('exit', (code) => reject(new Error(`a claimant ended with ${code}`)));
  }).finally(() => child.removeAllListeners('exit'));
  const ready = answer();
  // Whoever waits for it is told; nobody else need be.
  ready.catch(() => undefined);
  const ask = (message) => {
    const heard = answer();
    child.send(message);
    return heard;
  };
  return { child, ready, ask };
}

async function measure(lab, hub, claimants, { turnMs, turns }) {
  const ways = claimants.length;
  const rates = { claim: [], push: [] };
  const claims = claimants.map(() => 0);
  let lost = 0;
  for (let turn = 0; turn < turns; turn++) {
    await Promise.all(claimants.map((claimant) => claimant.ask({ mode: 'prepare', ms: turnMs })));
    for (const mode of turn % 2 === 0 ? ['claim', 'push'] : ['push', 'claim']) {
      await tidyHub(lab, hub);
      const started = performance.now();
      const counts = await Promise.all(claimants.map((claimant) => claimant.ask({ mode, ms: turnMs })));
      rates[mode].push((1_000 * counts.reduce((sum, { done }) => sum + done, 0)) / (performance.now() - started));
      if (mode === 'push') continue;
      lost += counts.reduce((sum, count) => sum + count.lost, 0);
      counts.forEach(({ done }, at) => void (claims[at] += done));
    }
  }
  const won = claims.reduce((sum, count) => sum + count, 0);
  const share = `tries a claim ${((won + lost) / won).toFixed(2)}, slowest clone ${(Math.min(...claims) / Math.max(...claims)).toFixed(2)} of the fastest`;
  return [row({ what: `${ways} clone${ways === 1 ? '' : 's'}, process`, values: rates.claim, unit: '/s', against: { what: `git push, ${ways}`, values: rates.push }, note: share })];
}

/** The same number of refs before each turn weighs on both sides alike, and packed refs weigh little. */
async function tidyHub(lab, hub) {
  const { stdout } = await git(lab, hub, ['for-each-ref', '--format=delete %(refname)', 'refs/bench/']);
  await git(lab, hub, ['update-ref', '--stdin'], { input: stdout });
  await git(lab, hub, ['pack-refs', '--all']);
}

async function measureCli(lab, hub, dirs, ms) {
  await tidyHub(lab, hub);
  const started = performance.now();
  const counts = await Promise.all(dirs.map(async (dir, at) => {
    let won = 0;
    while (performance.now() - started < ms) {
      const { code } = await cambium(lab, dir, ['task', 'claim', '--agent', `worker-${at + 1}`, '--json'], { ok: [0, 1] });
      if (code === 0) won += 1;
    }
    return won;
  }));
  const rate = (1_000 * counts.reduce((sum, count) => sum + count, 0)) / (performance.now() - started);
  return row({ what: `${dirs.length} clone${dirs.length === 1 ? '' : 's'}, cli`, values: [rate], unit: '/s' });
}
