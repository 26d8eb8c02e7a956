/** A clone of a hub with a year of finished tasks, to its first status, beside a plain `git clone` of the same hub. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { cambium, git } from './support/lab.mjs';
import { interleave, row } from './support/stats.mjs';
import { makeYear } from './support/year.mjs';

export const title = 'After a year of finished tasks';
export const note = 'The hub has this many finished tasks, of which 300 still stand in tasks/ with live claim refs; the rest is in tasks/archive and refs/cambium/archive (`--full`: 100,000). Whole processes; the hub is a folder on the same disk, so that objects are linked and not copied. A plain clone checks out the archive too, a clone by cambium leaves it in git. `up` runs one runbook that depends on a task of the first week, from the start of the process to its end.';

const SIZES = { quick: [10_000], full: [10_000, 100_000] };
const LIVE = 300;
/** Most milliseconds from `cambium clone` to the end of the first `status`. */
const AIMS = { 100_000: 10_000 };
const RUNBOOK = '# One more\n\n```sh\ndate > anniversary.txt\n```\n';

export async function bench(lab, { full }) {
  const rows = [];
  for (const size of full ? SIZES.full : SIZES.quick) rows.push(...(await measure(lab, size, full ? 5 : 3)));
  return rows;
}

async function measure(lab, size, rounds) {
  const hub = join(lab.root, `year-${size}.git`);
  const year = await makeYear(hub, size, LIVE);
  const clones = await interleave({
    plain: (round) => timedClone(lab, (dir) => git(lab, lab.root, ['clone', '--quiet', hub, dir]), `plain-${size}-${round}`),
    joined: (round) => timedClone(lab, (dir) => joinAndLook(lab, hub, dir, `j${round + 1}`), `joined-${size}-${round}`),
  }, { rounds });
  const dir = join(lab.root, `year-${size}-a`);
  await joinAndLook(lab, hub, dir, 'worker');
  let added = 0;
  const verbs = await interleave({
    status: () => cambium(lab, dir, ['status', '--json']).then(({ ms }) => ms),
    add: () => cambium(lab, dir, ['task', 'add', 'One more', '--id', `one-more-${++added}`, '--depends', year.ids[0], '--body', '-', '--json'], { input: RUNBOOK }).then(({ ms }) => ms),
    up: () => cambium(lab, dir, ['up', '--until-idle', '--agents', 'worker-1']).then(({ ms }) => ms),
    sync: () => cambium(lab, dir, ['sync', '--json']).then(({ ms }) => ms),
    push: async (round) => {
      const commit = await git(lab, dir, ['commit-tree', '-p', 'HEAD', '-m', 'beside', 'HEAD^{tree}']);
      return (await git(lab, dir, ['push', '--quiet', 'origin', `${commit.stdout.trim()}:refs/beside/r${round + 1}`])).ms;
    },
  }, { rounds });
  return [
    row({ what: `${size} tasks, clone and status`, values: clones.joined, ...(AIMS[size] === undefined ? {} : { aim: AIMS[size] }) }),
    row({ what: `${size} tasks, the same`, values: clones.joined, against: { what: 'git clone', values: clones.plain } }),
    row({ what: `${size} tasks, status`, values: verbs.status }),
    row({ what: `${size} tasks, task add`, values: verbs.add, against: { what: 'git push of a new ref', values: verbs.push } }),
    row({ what: `${size} tasks, up with one task`, values: verbs.up }),
    row({ what: `${size} tasks, sync`, values: verbs.sync }),
  ];
}

async function joinAndLook(lab, hub, dir, node) {
  await cambium(lab, lab.root, ['clone', hub, dir, '--node', node]);
  await cambium(lab, dir, ['status', '--json']);
}

async function timedClone(lab, clone, name) {
  const dir = join(lab.root, name);
  const started = performance.now();
  await clone(dir);
  const ms = performance.now() - started;
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  return ms;
}
