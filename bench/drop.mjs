/** From a file dropped into tasks/ to the hub's main, to its claim, to the first command of its runbook, to its landing. */
import { spawn } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cli, git, makeClone, makeFleet } from './support/lab.mjs';
import { endChild, until } from './support/processes.mjs';
import { row } from './support/stats.mjs';

export const title = 'Drop to claim, drop to landed';
export const note = 'One node with a running daemon (`cambium up`) and the runbook provider, the hub a bare repository in a folder; the file appears by a rename. The settling time (two looks 100 ms apart) is part of it. Read from the hub’s refs every 2 ms.';

export async function bench(lab, { full }) {
  const rounds = full ? 40 : 12;
  const { hub } = await makeFleet(lab, 'drop', []);
  const dir = await makeClone(lab, hub, 'drop-a');
  const daemon = startDaemon(lab, dir);
  try {
    await daemon.running;
    const seen = { 'on the hub’s main': [], claimed: [], 'first command of the runbook': [], landed: [] };
    const push = [];
    for (let round = -2; round < rounds; round++) {
      const times = await dropOne(lab, { hub, dir, id: `drop-${round + 2}x` }).catch((error) => {
        throw new Error(`${error.message}; the daemon's last words:\n${daemon.said()}`);
      });
      push.push((await git(lab, dir, ['push', '--quiet', 'origin', `HEAD:refs/bench/p${round + 2}`])).ms);
      if (round >= 0) for (const [what, ms] of Object.entries(times)) seen[what].push(ms);
    }
    const aims = { claimed: 1_000 };
    return [
      ...Object.entries(seen).map(([what, values]) => row({ what: `drop to ${what}`, values, ...(aims[what] === undefined ? {} : { aim: aims[what] }) })),
      row({ what: 'one git push of a new ref, beside', values: push.slice(2) }),
    ];
  } finally {
    await endChild(daemon.child, 20_000);
  }
}

function startDaemon(lab, dir) {
  const child = spawn(process.execPath, [cli, '--json', 'up'], { cwd: dir, env: lab.env, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said = (said + chunk).slice(-4_000);
  });
  // Its record is there once the first pass is over.
  const record = join(dir, '.git', 'cambium', 'local', 'daemon.json');
  return { child, said: () => said, running: until(() => readOr(record), { what: 'the daemon’s first pass', everyMs: 20 }) };
}

async function dropOne(lab, { hub, dir, id }) {
  const marker = join(lab.root, `${id}.started`);
  const draft = join(lab.root, `${id}.md`);
  writeFileSync(draft, `# ${id}\n\n\`\`\`sh\ndate +%s%N > ${marker}\necho done > ${id}.txt\n\`\`\`\n`);
  const before = readRef(hub, 'refs/heads/main');
  const started = performance.now();
  const wall = performance.timeOrigin + started;
  renameSync(draft, join(dir, 'tasks', `${id}.md`));
  const at = () => performance.now() - started;
  const onHub = await until(() => (readRef(hub, 'refs/heads/main') === before ? null : at()), { what: 'the task on main' });
  const claimed = await until(() => (readRef(hub, `refs/cambium/claims/${id}`) === null ? null : at()), { what: 'the claim' });
  const landed = await until(landing(lab, hub, id, at), { what: 'the landing' });
  return { 'on the hub’s main': onHub, claimed, 'first command of the runbook': Number(readFileSync(marker, 'utf8')) / 1e6 - wall, landed };
}

/** Answers with the moment at which main moved to the commit that has the result; a process only when main has moved. */
function landing(lab, hub, id, at) {
  let last = null;
  return async () => {
    const main = readRef(hub, 'refs/heads/main');
    const moved = at();
    if (main === last) return null;
    last = main;
    return (await git(lab, hub, ['cat-file', '-e', `${main}:tasks/${id}.result.md`], { ok: [0, 128] })).code === 0 ? moved : null;
  };
}

const readRef = (hub, ref) => readOr(join(hub, ref));

function readOr(path) {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}
