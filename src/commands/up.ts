/** `cambium up`: the daemon. One per clone; it watches, cycles and runs the agents that cambium.yaml gives to this node. */
import { join } from 'node:path';
import { acquireDaemonLock } from '../adapters/system/daemonLock.ts';
import { createWatcher } from '../adapters/system/watcher.ts';
import { checkClone, probeHub } from '../adapters/git/probe.ts';
import type { Verdict } from '../adapters/git/probe.ts';
import { gitText } from '../adapters/git/run.ts';
import { CambiumError, isHubAway } from '../errors.ts';
import { createDaemon } from '../cycle/daemon.ts';
import type { PassReport } from '../cycle/pass.ts';
import { STATE_PATHS } from '../model/layout.ts';
import { nodeName, nodeOf, openClone } from '../workspace/compose.ts';
import type { Clone } from '../workspace/clone.ts';
import { hookFilesOf, hooksAllowed, openFleetHooks } from '../workspace/fleetHooks.ts';
import type { FleetHooks } from '../workspace/fleetHooks.ts';
import { cleanSpawns } from '../workspace/cleanSpawns.ts';
import { endLife, openLives } from '../workspace/lives.ts';
import { openLoop } from '../workspace/loop.ts';
import { describeEnd, describeRest, describeStart, eventLine } from './upText.ts';
import type { Loop } from '../cycle/loop.ts';

export interface UpOptions {
  readonly node?: string | undefined;
  readonly agents?: string | undefined;
  readonly untilIdle?: boolean | undefined;
  /** Milliseconds; true takes `timings.idle` of cambium.yaml. */
  readonly idle?: number | true | undefined;
  readonly onExit?: 'release' | 'keep' | undefined;
  readonly json: boolean;
}

/** Runs until it is stopped or idle. Throws `daemon-running`, `node-taken`, `hub-rewritten`, `hub-unfit`. */
export async function up(options: UpOptions): Promise<void> {
  const clone = await openClone();
  const lock = await acquireDaemonLock(join(clone.stateDir, 'daemon'));
  if ('heldBy' in lock) {
    throw new CambiumError('daemon-running', `A daemon (pid ${lock.heldBy.pid}) already serves this clone.`, { hint: 'Look at it with `cambium status`, or stop it with Ctrl-C where it runs.' });
  }
  try {
    await serve(clone, options);
  } finally {
    await lock.release();
    await clone.close();
  }
}

async function serve(clone: Clone, options: UpOptions): Promise<void> {
  const { place } = clone;
  const { process: self, machine } = await clone.supervisor.self();
  const lives = await openLives(clone.local, machine, self, clone.clock.ulid());
  const node = await nodeOf(clone, nodeName(place, options.node), lives.incarnation);
  await requireFitHub(clone, node.identity.node);
  const say = (event: string, fields: Readonly<Record<string, unknown>> = {}): void => void process.stdout.write(`${eventLine(clone.clock.now(), event, fields, options.json)}\n`);
  const loop = await openLoop({ clone, node, lives, agents: options.agents?.split(',').map((id) => id.trim()).filter((id) => id !== '') ?? null, say });
  if (options.node !== undefined && place.settings.get('cambium.node') === undefined) await gitText(['config', 'cambium.node', options.node], { gitDir: clone.gitDir });
  await loop.checkout.recover();
  const watcher = createWatcher({ root: clone.root ?? clone.stateDir, paths: clone.root === null ? [] : [...STATE_PATHS], ignore: ['tasks/archive/**', '**/node_modules/**'], settleMs: loop.shop.config().timings.settleMs, rescanMs: loop.shop.config().timings.rescanMs });
  const idleMs = options.untilIdle === true ? 0 : options.idle === true ? loop.shop.config().timings.idleMs : (options.idle ?? null);
  const announcer = createAnnouncer(clone, loop, options.json);
  const hooks: FleetHooks = await openFleetHooks({ clone, node, say });
  const tellHooks = (): void => void (loop.state.fleet !== null && hooks.look(loop.state.fleet));
  const daemon = createDaemon(loop, watcher, { idleMs, onExit: options.onExit ?? 'release', onPass: async (report) => {
    await announcer.onPass(report);
    tellHooks();
    if (report.idle && report.settled) await tidy();
  } });
  let tidiedMs = -Infinity;
  /** Folders of spawns that ended long ago would fill the disk. */
  async function tidy(): Promise<void> {
    const { fleet } = loop.state;
    if (fleet === null || clone.clock.bootMs() - tidiedMs < TIDY_EVERY_MS) return;
    tidiedMs = clone.clock.bootMs();
    const { removed } = await cleanSpawns({ clone, node, fleet, stale: null, agent: undefined, note: () => undefined });
    if (removed.length > 0) say('spawn folders removed', { count: removed.length });
  }
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    daemon.stop();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  // A command in this clone has changed something on the hub: see `nudgeDaemon`.
  process.on('SIGUSR2', daemon.nudge);
  if (!options.json) process.stdout.write(`${describeStart(clone, loop)}\n${await describeHooks(clone, loop)}`);
  // What is known now was before: with the hooks just allowed, only what comes is told.
  tellHooks();
  try {
    await daemon.run();
  } catch (error) {
    if (error instanceof CambiumError && error.code === 'node-taken') await endLife(clone.local, lives);
    throw error;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    process.off('SIGUSR2', daemon.nudge);
    await clone.local.remove('daemon');
  }
  tellHooks();
  // Who presses Ctrl-C is not kept waiting: what is left is on record, and the next daemon runs it.
  await hooks.close(!stopped);
  if (!options.json) process.stdout.write(`${(await announcer.tell()) ?? ''}\n${describeEnd(loop)}\n`);
}

/** What the tree's hooks are to this node; nothing where there are none. */
async function describeHooks(clone: Clone, { state }: Loop): Promise<string> {
  const names = state.fleet === null ? [] : (await hookFilesOf(clone, state.fleet)).map(({ name }) => name);
  if (names.length === 0) return '';
  return hooksAllowed(clone) ? `hooks: ${names.join(', ')}\n\n` : `hooks: ${names.join(', ')} are not run here; \`git config cambium.hooks true\` allows it\n\n`;
}

async function requireFitHub(clone: Clone, node: string): Promise<void> {
  // The embedded hub was made by this very git.
  if (clone.remote === null) return;
  const checked = await checkClone({ gitDir: clone.gitDir, url: clone.hub.url, remote: clone.remote });
  const verdict = checked.fit ? await probeUnlessAway(clone, node) : checked;
  if (!verdict.fit) throw new CambiumError(verdict.code, verdict.reason, { hint: verdict.hint });
}

/** A hub that is away now was fit when this clone joined it. */
async function probeUnlessAway(clone: Clone, node: string): Promise<Verdict> {
  try {
    return await probeHub({ hub: clone.hub, store: clone.store, node, nonce: clone.clock.ulid() });
  } catch (error) {
    if (isHubAway(error) && clone.mirror.known().main !== null) return { fit: true };
    throw error;
  }
}

const TIDY_EVERY_MS = 6 * 3_600_000;

interface Announcer {
  onPass(report: PassReport): Promise<void>;
  /** What has happened since it was last told; null when nothing has. */
  tell(): Promise<string | null>;
}

/** Tells the person when the fleet comes to rest, and leaves a record that `cambium status` reads. */
function createAnnouncer(clone: Clone, loop: Loop, quiet: boolean): Announcer {
  let told = { results: new Set(loop.state.fleet?.results.keys()), main: loop.state.fleet?.main.commit ?? '' };
  let record = '';
  let isResting = false;
  let isFirst = true;

  async function tell(): Promise<string | null> {
    const { fleet } = loop.state;
    if (fleet === null || (!isFirst && fleet.main.commit === told.main)) return null;
    const ended = new Set([...fleet.results.keys()].filter((task) => !told.results.has(task)));
    const text = await describeRest(clone, loop, { ended, since: told.main });
    told = { results: new Set(fleet.results.keys()), main: fleet.main.commit };
    isFirst = false;
    return text;
  }

  return {
    tell,
    async onPass(report) {
      const { checkout, skipped, parked, offline } = loop.state;
      const now = { node: loop.shop.node.identity.node, agents: loop.agents().map(({ id }) => id), offline, blocked: checkout.blocked, notes: checkout.notes, held: checkout.held, skipped: [...skipped], parked: [...parked] };
      if (JSON.stringify(now) !== record) await clone.local.write('daemon', now);
      record = JSON.stringify(now);
      const rests = report.idle && report.settled && !report.progress;
      const text = rests && !isResting && !quiet ? await tell() : null;
      if (text !== null) process.stdout.write(`${text}\n`);
      isResting = rests;
    },
  };
}
