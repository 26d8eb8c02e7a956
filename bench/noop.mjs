/** A cycle over an unchanged world, by the number of files, against one `git ls-remote`. */
import { codeFiles, engine, git, makeClone, makeFleet, openLoop, taskFiles } from './support/lab.mjs';
import { interleave, median, row, timed } from './support/stats.mjs';

export const title = 'A cycle that finds nothing to do, by the number of files';
export const note = 'A warm pass in a running process whose watcher has seen nothing, the periodic full read of every file apart. “code” are files outside the state folders, “tasks” open tasks in folders of 1,000. Flat means: no row costs more than the first.';

const QUICK = [['code', 100], ['code', 10_000], ['tasks', 100], ['tasks', 10_000]];
const FULL = [...QUICK, ['code', 100_000], ['tasks', 100_000]];

export async function bench(lab, { full }) {
  const rows = [];
  const firsts = {};
  for (const [kind, count] of full ? FULL : QUICK) {
    const { quiet, asked, fullScan } = await measure(lab, kind, count, full ? 30 : 12);
    firsts[kind] ??= median(quiet);
    rows.push(row({ what: `${count} ${kind}`, values: quiet, against: { what: 'git ls-remote', values: asked }, aim: 2, note: `${(median(quiet) / firsts[kind]).toFixed(2)} × the first` }));
    rows.push(row({ what: `${count} ${kind}, every file read`, values: fullScan }));
  }
  return rows;
}

async function measure(lab, kind, count, rounds) {
  const name = `noop-${kind}-${count}`;
  const { hub } = await makeFleet(lab, name, kind === 'code' ? codeFiles(count) : taskFiles(count));
  const dir = await makeClone(lab, hub, `${name}-a`);
  const { clone, loop } = await openLoop(dir);
  try {
    const { pass } = await engine('cycle/pass.js');
    // As in the daemon, whose watcher has seen nothing since the last look.
    loop.state.watched = true;
    for (let tries = 0; tries < 3; tries++) await pass(loop, { fullScan: true });
    const { quiet, asked } = await interleave({
      async quiet() {
        let report = null;
        const ms = await timed(async () => {
          report = await pass(loop, { fullScan: false });
        });
        if (report.progress || !report.settled) throw new Error('there was something to do');
        return ms;
      },
      asked: () => git(lab, dir, ['ls-remote', '--refs', 'origin', 'refs/heads/*', 'refs/cambium/*']).then(({ ms }) => ms),
    }, { rounds, warmup: 2 });
    const fullScan = [];
    for (let at = 0; at < 3; at++) fullScan.push(await timed(() => pass(loop, { fullScan: true })));
    return { quiet, asked, fullScan };
  } finally {
    await clone.close();
  }
}
