/**
 * A process of its own for one clone, as a daemon is: for a while it claims as fast as it can, or pushes new refs.
 * Told by messages `{ mode, ms }`; answers `{ ready }` once and then `{ done, lost }` a message.
 */
import { engine, git, openEngine } from './lab.mjs';

const [dir, name] = process.argv.slice(2);
process.chdir(dir);
const { clone, node } = await openEngine(dir);
const [{ claimTasks }, { orient }, { spread }] = await Promise.all([engine('act/claim.js'), engine('orient/situation.js'), engine('decide/claims.js')]);
const lab = { env: process.env };
let pushes = 0;

/** Chooses and claims as a node does: read, orient, choose in an order of its own, push; a lost race is read and chosen again. */
async function claimFor(ms) {
  const until = performance.now() + ms;
  const count = { done: 0, lost: 0 };
  while (performance.now() < until) {
    const fleet = await clone.fleets.read(clone.mirror.known());
    const [choice] = spread(orient(fleet, clone.clock.now().toISOString()).ready, name, Math.max(2, fleet.nodes.size));
    if (choice === undefined) throw new Error('the tasks of the benchmark are used up');
    const [end] = [...(await claimTasks(node, clone.reader, [{ task: choice.task, agent: name, ttlMs: 3_600_000, maxAttempts: 3 }])).values()];
    count[end.state === 'published' ? 'done' : 'lost'] += 1;
  }
  return count;
}

/** Commits of a claim's shape for the pushes to come, written before the time runs. */
async function readyCommits(count) {
  const commits = [];
  for (let at = 0; at < count; at++) {
    const blob = await clone.store.writeBlob(Buffer.from(`${name} ${pushes + at} ${'x'.repeat(400)}`));
    const tree = await clone.store.writeTree([{ mode: '100644', name: 'claim.json', oid: blob }]);
    const who = { name, email: 'bench@example.org', seconds: 1_700_000_000, zone: '+0000' };
    commits.push(await clone.store.writeCommit({ tree, parents: [], author: who, committer: who, message: 'push\n' }));
  }
  return commits;
}

async function pushFor(ms, commits) {
  const until = performance.now() + ms;
  const count = { done: 0, lost: 0 };
  while (performance.now() < until && commits.length > 0) {
    await git(lab, dir, ['push', '--quiet', 'origin', `${commits.pop()}:refs/bench/${name}-${pushes++}`]);
    count.done += 1;
  }
  return count;
}

let commits = [];
process.on('message', async ({ mode, ms }) => {
  try {
    if (mode === 'prepare') {
      // What the others did in earlier turns is no part of this one.
      await clone.fleets.read(await clone.mirror.refresh());
      commits = await readyCommits(Math.ceil(ms / 12));
      process.send({ done: 0, lost: 0 });
    } else process.send(mode === 'claim' ? await claimFor(ms) : await pushFor(ms, commits));
  } catch (error) {
    process.send({ error: String(error.stack ?? error) });
  }
});
process.on('disconnect', () => process.exit());
process.send({ ready: true });
