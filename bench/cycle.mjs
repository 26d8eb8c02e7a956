/** A cycle that changes 3 files of the person's checkout: published by `cambium sync` or by a daemon's pass, against git. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { cambium, engine, git, makeClone, makeFleet, openLoop, taskFiles, taskId } from './support/lab.mjs';
import { row, timed } from './support/stats.mjs';

export const title = 'A cycle that changes 3 files, against `git add` + `commit` + `push`';
export const note = 'Task files in folders of 1,000. git runs with the same core.fsync=all, in a clone and with a hub of its own. “pass” is two passes in a running process, the look that sees the edits and, 100 ms later (not counted), the one that publishes them and brings index and branch up to date; “sync” is the whole process, its 100 ms wait counted.';

const SIZES = { quick: [100, 10_000], full: [100, 10_000, 100_000] };
const AIMS = { 100: 0.9, 10_000: 0.6, 100_000: 0.4 };

export async function bench(lab, { full }) {
  const rows = [];
  for (const size of full ? SIZES.full : SIZES.quick) rows.push(...(await measure(lab, size, full ? 20 : 6)));
  return rows;
}

async function measure(lab, size, rounds) {
  const files = taskFiles(size);
  const [ours, theirs] = [await makeFleet(lab, `ours-${size}`, files), await makeFleet(lab, `theirs-${size}`, files)];
  const dir = await makeClone(lab, ours.hub, `ours-${size}`);
  const { clone, loop } = await openLoop(dir);
  const { pass } = await engine('cycle/pass.js');
  const spent = { pass: [], sync: [], native: [] };
  try {
    await rest(loop, pass);
    for (let round = -1; round < rounds; round++) {
      const steps = [
        ['pass', () => publishByPasses(dir, size, round, loop, pass)],
        ['native', () => publishByGit(lab, theirs.seed, size, round)],
        ['sync', async () => {
          edit(dir, size, `${round} sync`);
          const ms = (await cambium(lab, dir, ['sync', '--json'])).ms;
          await rest(loop, pass);
          return ms;
        }],
      ];
      for (const [name, step] of round % 2 === 0 ? steps : steps.toReversed()) {
        const ms = await step();
        if (round >= 0) spent[name].push(ms);
      }
    }
  } finally {
    await clone.close();
  }
  const dirty = (await git(lab, dir, ['status', '--porcelain'])).stdout.trim();
  if (dirty !== '') throw new Error(`the checkout is not clean afterwards: ${dirty}`);
  const against = { what: 'git add, commit, push', values: spent.native };
  return [
    row({ what: `${size} files, pass`, values: spent.pass, against, aim: AIMS[size] }),
    row({ what: `${size} files, sync`, values: spent.sync, against }),
  ];
}

function changed(size) {
  return [0, Math.floor(size / 2), size - 1].map((at) => `tasks/s${String(Math.floor(at / 1_000)).padStart(3, '0')}/${taskId(at)}.md`);
}

function edit(dir, size, text) {
  for (const path of changed(size)) appendFileSync(join(dir, path), `changed in round ${text}\n`);
}

async function publishByGit(lab, dir, size, round) {
  edit(dir, size, String(round));
  const flushed = ['-c', 'core.fsync=all'];
  return timed(async () => {
    await git(lab, dir, [...flushed, 'add', '--', ...changed(size)]);
    await git(lab, dir, [...flushed, 'commit', '--quiet', '-m', 'three files']);
    await git(lab, dir, [...flushed, 'push', '--quiet', 'origin', 'main']);
  });
}

async function publishByPasses(dir, size, round, loop, pass) {
  edit(dir, size, `${round} pass`);
  const first = await timed(() => pass(loop, { fullScan: false }));
  await loop.shop.node.clock.sleep(loop.shop.config().timings.settleMs + 5);
  let report = null;
  const second = await timed(async () => {
    report = await pass(loop, { fullScan: false });
  });
  if (!report.progress) throw new Error('the second pass did not publish the edits');
  return first + second;
}

/** Until nothing moves: what was published by others has come in. */
async function rest(loop, pass) {
  for (let tries = 0; tries < 20; tries++) {
    const report = await pass(loop, { fullScan: false });
    if (!report.progress && report.settled) return;
    await loop.shop.node.clock.sleep(110);
  }
  throw new Error('the loop did not come to rest');
}
