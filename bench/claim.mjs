/** One claim, from the decision to the hub's acknowledgement, against one plain `git push` of a new ref to the same hub. */
import { engine, git, makeClone, makeFleet, openEngine, taskFiles } from './support/lab.mjs';
import { interleave, row, timed } from './support/stats.mjs';

export const title = 'One claim against one `git push` of a new ref';
export const note = 'In a process that runs already, as in the daemon. The push is of a ready-made commit of the same size, by the same remote, with no options. The parts are timed inside the claims of a second series.';

export async function bench(lab, { full }) {
  const rounds = full ? 100 : 30;
  const { hub } = await makeFleet(lab, 'claim', taskFiles(200));
  const dir = await makeClone(lab, hub, 'claim-a');
  const { clone, node } = await openEngine(dir);
  try {
    const { claimTasks } = await engine('act/claim.js');
    const fleet = await clone.fleets.read(await clone.mirror.refresh());
    const tasks = [...fleet.tasks.values()];
    const next = () => ({ task: tasks.pop(), agent: 'worker-1', ttlMs: 180_000, maxAttempts: 3 });
    const commits = await readyCommits(clone.store, node, rounds + 1);
    const { claim, push } = await interleave({
      claim: () => mustWin(claimTasks(node, clone.reader, [next()])),
      async push() {
        const [oid, at] = commits.pop();
        return timed(() => git(lab, dir, ['push', '--quiet', 'origin', `${oid}:refs/bench/p${at}`]));
      },
    }, { rounds });
    const parts = await partsOfClaims(clone, node, claimTasks, next, Math.ceil(rounds / 2));
    const batch = await batches(clone, node, claimTasks, next);
    return [
      row({ what: 'one claim', values: claim, against: { what: 'one git push', values: push }, aim: 1.5 }),
      ...Object.entries(parts).map(([what, values]) => row({ what: `· ${what}`, values })),
      row({ what: 'ten claims in one push, each', values: batch }),
    ];
  } finally {
    await clone.close();
  }
}

async function mustWin(ends) {
  for (const [task, end] of await ends) if (end.state !== 'published') throw new Error(`${task} was not won: ${JSON.stringify(end)}`);
}

/** Commits of the shape of a claim, written before anything is timed. */
async function readyCommits(store, node, count) {
  const commits = [];
  for (let at = 0; at < count; at++) {
    const blob = await store.writeBlob(Buffer.from(JSON.stringify({ at, text: 'x'.repeat(400) })));
    const tree = await store.writeTree([{ mode: '100644', name: 'claim.json', oid: blob }]);
    const who = { name: 'bench', email: 'bench@example.org', seconds: 1_700_000_000 + at, zone: '+0000' };
    commits.push([await store.writeCommit({ tree, parents: [], author: who, committer: who, message: `push ${at}\n` }), at]);
  }
  return commits;
}

/** Where a claim's time goes: each port that it waits for, by a stop-watch around its calls. */
async function partsOfClaims(clone, node, claimTasks, next, rounds) {
  const watches = { 'objects written and flushed': stopWatch(), 'outbox refs moved': stopWatch(), 'the push': stopWatch(), 'mirror refs moved': stopWatch() };
  const [objects, outbox, push, adopt] = Object.values(watches);
  const any = stopWatch();
  const watched = (watch, fn) => (...args) => any.around(() => watch.around(() => fn(...args)));
  const { store, hub, mirror } = node;
  const probe = {
    ...node,
    hub: { ...hub, push: watched(push, hub.push) },
    mirror: { ...mirror, known: mirror.known, adopt: watched(adopt, mirror.adopt) },
    store: {
      ...store, writeBlob: watched(objects, store.writeBlob), writeTree: watched(objects, store.writeTree),
      writeCommit: watched(objects, store.writeCommit), updateRefs: watched(outbox, store.updateRefs),
    },
  };
  const parts = {};
  for (let round = 0; round < rounds; round++) {
    const all = await timed(() => mustWin(claimTasks(probe, clone.reader, [next()])));
    for (const [what, watch] of Object.entries(watches)) (parts[what] ??= []).push(watch.read());
    (parts['all else'] ??= []).push(all - any.read());
  }
  return parts;
}

/** Adds up the time in which at least one call runs, so that calls side by side count once. */
function stopWatch() {
  let running = 0;
  let started = 0;
  let spent = 0;
  return {
    async around(work) {
      if (running++ === 0) started = performance.now();
      try {
        return await work();
      } finally {
        if (--running === 0) spent += performance.now() - started;
      }
    },
    /** Milliseconds since it was read last. */
    read() {
      const ms = spent;
      spent = 0;
      return ms;
    },
  };
}

async function batches(clone, node, claimTasks, next) {
  const each = [];
  for (let at = 0; at < 5; at++) each.push((await timed(() => mustWin(claimTasks(node, clone.reader, Array.from({ length: 10 }, next))))) / 10);
  return each;
}
