/** `task list`, `task ready`, `status` and `task add` as whole processes, by the number of tasks, with `node -e 0` beside. */
import { cambium, makeClone, makeFleet, taskFiles } from './support/lab.mjs';
import { run } from './support/processes.mjs';
import { interleave, row } from './support/stats.mjs';

export const title = 'The queue from the command line, whole processes, by the number of tasks';
export const note = 'Caches warm, no daemon running, so that each asks the hub. `add` publishes a new task and brings the checkout up to date before it ends.';

const SIZES = { quick: [100, 1_000, 10_000], full: [100, 1_000, 10_000, 100_000] };
const VERBS = { list: ['task', 'list', '--json'], ready: ['task', 'ready', '--json'], status: ['status', '--json'] };
/** Most milliseconds that reading may take, by the number of tasks. */
const AIMS = { 1_000: 200, 10_000: 500, 100_000: 1_500 };

export async function bench(lab, { full }) {
  const rounds = full ? 12 : 5;
  const rows = [];
  for (const size of full ? SIZES.full : SIZES.quick) {
    const { hub } = await makeFleet(lab, `queue-${size}`, taskFiles(size));
    const dir = await makeClone(lab, hub, `queue-${size}-a`);
    let added = 0;
    const reading = Object.entries(VERBS).map(([name, args]) => [name, () => cambium(lab, dir, args).then(({ ms }) => ms)]);
    const values = await interleave({
      floor: () => run(process.execPath, ['-e', '0'], { env: lab.env }).then(({ ms }) => ms),
      ...Object.fromEntries(reading),
      add: () => cambium(lab, dir, ['task', 'add', `Added number ${added++}`, '--json']).then(({ ms }) => ms),
    }, { rounds, warmup: 1 });
    for (const name of Object.keys(VERBS)) rows.push(row({ what: `${size} tasks, ${name}`, values: values[name], ...(AIMS[size] === undefined ? {} : { aim: AIMS[size] }), note: `${timesFloor(values, name)} × node -e 0` }));
    rows.push(row({ what: `${size} tasks, add`, values: values.add, note: `${timesFloor(values, 'add')} × node -e 0` }));
    rows.push(row({ what: `${size} tasks, node -e 0`, values: values.floor }));
  }
  rows.push(...(await startUp(lab, rounds)));
  return rows;
}

async function startUp(lab, rounds) {
  const values = await interleave({
    floor: () => run(process.execPath, ['-e', '0'], { env: lab.env }).then(({ ms }) => ms),
    version: () => cambium(lab, lab.root, ['--version']).then(({ ms }) => ms),
  }, { rounds: rounds * 2 });
  return [row({ what: 'cambium --version', values: values.version, against: { what: 'node -e 0', values: values.floor }, aim: 2.5 })];
}

function timesFloor(values, name) {
  const ratios = values[name].map((ms, at) => ms / values.floor[at]).toSorted((a, b) => a - b);
  return ratios[Math.floor(ratios.length / 2)].toFixed(1);
}
