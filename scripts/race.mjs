#!/usr/bin/env node
/**
 * The claim race on demand: `node scripts/race.mjs [--rounds 200] [--processes 64] [--clones 16]`. In each round that
 * many processes claim one task, and the hub accepts none before all have read. Prints a line a round and a summary;
 * ends with 1 when a task ever had two winners or none, or a racer ended as neither winner nor loser.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = join(ROOT, 'node_modules/.cache/cambium-race');

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '200' }, processes: { type: 'string', default: '64' }, clones: { type: 'string', default: '16' } } });
const [rounds, processes, clones] = [values.rounds, values.processes, values.clones].map(Number);

/** The suites' own fixtures, compiled: Node 20 runs no TypeScript. */
function compile() {
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  writeFileSync(join(OUT, 'package.json'), '{"type":"module"}\n');
  writeFileSync(join(OUT, 'tsconfig.json'), JSON.stringify({
    extends: join(ROOT, 'tsconfig.json'),
    compilerOptions: { noEmit: false, rootDir: ROOT, outDir: OUT, typeRoots: [join(ROOT, 'node_modules/@types')] },
    include: [], files: [join(ROOT, 'tests/support/race.ts')],
  }));
  const ran = spawnSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', join(OUT, 'tsconfig.json')], { encoding: 'utf8' });
  if (!existsSync(join(OUT, 'tests/support/race.js'))) throw new Error(`The race could not be compiled:\n${ran.stdout}${ran.stderr}`);
}

const load = (name) => import(pathToFileURL(join(OUT, 'tests/support', `${name}.js`)).href);

function line({ task, processes, gathered, winners, exits, claims, ms }, sound) {
  const others = Object.entries(exits).filter(([code]) => code !== '0').map(([code, count]) => `${count}×${code}`).join(' ');
  return `${task.padEnd(12)} ${String(processes).padStart(9)} ${String(gathered).padStart(8)} ${String(winners.length).padStart(7)}  ${others.padEnd(14)} ${String(claims.length).padStart(6)} ${(ms / 1000).toFixed(1).padStart(6)} s  ${sound ? '' : 'WRONG'}`.trimEnd();
}

const isSound = ({ winners, claims, strange }) => winners.length === 1 && claims.length === 1 && claims[0].epoch === 1 && claims[0].agent === winners[0] && strange.length === 0;

compile();
// CAMBIUM_DIST races another build: an older release, or one with a fault put in to see the race turn red.
process.env.CAMBIUM_DIST ??= join(ROOT, 'dist');
if (!existsSync(join(process.env.CAMBIUM_DIST, 'cli.js'))) spawnSync(process.execPath, [join(ROOT, 'scripts/build.mjs')], { cwd: ROOT, stdio: 'inherit' });
const [{ config, makeFleet }, { gateOf }, { raceRound }] = await Promise.all(['fleet', 'hubHooks', 'race'].map(load));

const fleet = await makeFleet({ config: config('{ ttl: 30m, heartbeat: 60s }') });
const done = [];
let stopped = false;
process.once('SIGINT', () => { stopped = true; });
try {
  const seats = [];
  for (let at = 1; at <= clones; at++) seats.push(await fleet.seat(`vm-${at}`));
  const gate = gateOf(fleet.hub);
  console.log(`${rounds} rounds, ${processes} processes over ${clones} clones · node ${process.version} · ${process.platform} ${release()} · ${availableParallelism()} × ${cpus()[0]?.model ?? '?'}\n`);
  console.log('task         processes gathered winners  others         claims   time');
  for (let at = 1; at <= rounds && !stopped; at++) {
    const round = await raceRound(fleet, seats, gate, { task: `prize-${at}`, processes });
    done.push(round);
    console.log(line(round, isSound(round)));
    for (const what of round.strange) console.log(`  ${what}`);
  }
} finally {
  await fleet.close();
  rmSync(OUT, { recursive: true, force: true });
}

const count = (test) => done.filter(test).length;
const doubled = count(({ winners, claims }) => winners.length > 1 || claims.length > 1);
console.log(`\n${done.length} rounds: ${count(isSound)} with exactly one winner, ${doubled} double wins, ${count(({ winners }) => winners.length === 0)} without a winner; in ${count(({ gathered, processes }) => gathered === processes)} all had read before any was accepted.`);
process.exitCode = count((round) => !isSound(round)) === 0 && done.length > 0 ? 0 : 1;
