/**
 * Runs the fleet's hooks beside the daemon's passes and never in one. What is to be run is on disk before it is told, and goes
 * when its run has ended: so a crash repeats a hook rather than forgetting it, and a node tells one cause once otherwise.
 *
 *   pending   on record, waits for a free place. Started → running
 *   running   under a supervisor of its own, which outlives the daemon. Ended, however → gone; lost with its supervisor → pending, once
 */
import { join } from 'node:path';
import { eventsSince } from '../act/fleetEvents.ts';
import type { Looked, Told } from '../act/fleetEvents.ts';
import type { Node } from '../act/node.ts';
import { openHookFiles } from '../adapters/system/hookFiles.ts';
import { hookedEvent } from '../model/event.ts';
import type { FleetEvent } from '../model/event.ts';
import type { Oid } from '../model/ids.ts';
import type { Fleet } from '../model/snapshot.ts';
import { entryAt } from '../observe/tree.ts';
import type { Clone } from './clone.ts';

export interface FleetHooks {
  /** Looks whether there is something to tell; returns at once. */
  look(fleet: Fleet): void;
  /** Waits for what is being started; with `finish` until every hook has been run. */
  close(finish: boolean): Promise<void>;
}

export interface FleetHookOptions {
  readonly clone: Pick<Clone, 'store' | 'local' | 'reader' | 'supervisor' | 'clock' | 'mirror' | 'workDir' | 'root' | 'stateDir' | 'place'>;
  readonly node: Node;
  readonly say: (event: string, fields?: Readonly<Record<string, unknown>>) => void;
}

const TOLD = 'hooks/told';
const PENDING = 'hooks/pending/';
const TRIES_MAX = 2;
const GRACE_MS = 5_000;
const POLL_MS = 100;

interface HookFile {
  readonly name: string;
  readonly oid: Oid;
}

interface Pending {
  readonly event: FleetEvent;
  readonly hook: HookFile;
  /** Folder of the run under way; null before the first. */
  readonly run: string | null;
  readonly tries: number;
}

/** Whether this machine's owner lets the tree's hooks run here: never the tree's own choice. */
export const hooksAllowed = ({ place }: Pick<Clone, 'place'>): boolean => place.settings.get('cambium.hooks') === 'true';

export async function openFleetHooks({ clone, node, say }: FleetHookOptions): Promise<FleetHooks> {
  const { local } = clone;
  if (!hooksAllowed(clone)) {
    // When they are allowed again, what happened meanwhile is past.
    for (const key of [TOLD, ...(await local.list(PENDING))]) await local.remove(key);
    return { look: () => undefined, close: async () => undefined };
  }
  const files = openHookFiles(join(clone.workDir, 'hooks'));
  const pending = new Map<string, Pending>();
  for (const key of await local.list(PENDING)) pending.set(key, (await local.read(key)) as Pending);
  let told = ((await local.read(TOLD)) as Told | undefined) ?? null;
  let seen: Fleet | null = null;
  let looked: Looked | null = null;
  let wanted: Fleet | null = null;
  let turn: Promise<void> | null = null;
  let complained: string | null = null;
  let config = node.config()?.hooks ?? { timeoutMs: 30_000, atOnce: 2 };

  async function note(fleet: Fleet): Promise<void> {
    if (seen?.main.commit === fleet.main.commit && seen.chains === fleet.chains && seen.nodes === fleet.nodes) return;
    const since = await eventsSince(node, clone.reader, fleet, told, looked);
    const hooks = since.events.length === 0 ? [] : await hookFilesOf(clone, fleet);
    for (const event of since.events) {
      for (const hook of hooks.filter(({ name }) => hookedEvent(name) === event.event)) {
        const key = `${PENDING}${event.id.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 64)}.${hook.name}`;
        const entry: Pending = { event, hook, run: null, tries: 0 };
        await local.write(key, entry);
        pending.set(key, entry);
      }
    }
    if (JSON.stringify(since.told) !== JSON.stringify(told)) await local.write(TOLD, since.told);
    told = since.told;
    looked = since.looked;
    seen = fleet;
  }

  /** What has ended is taken off the list; what has a free place is started. */
  async function tend(): Promise<void> {
    let running = 0;
    for (const [key, entry] of pending) {
      if (entry.run === null) continue;
      const status = await clone.supervisor.status(files.run(entry.run));
      if (status.state === 'starting' || status.state === 'running') running += 1;
      else if (status.state === 'ended') await finish(key, entry, status.end);
      else await setEntry(key, { ...entry, run: null });
    }
    for (const [key, entry] of pending) {
      if (running >= config.atOnce) return;
      if (entry.run !== null) continue;
      if (entry.tries >= TRIES_MAX) await drop(key, entry, 'it could not be run to its end');
      else if (await start(key, entry)) running += 1;
    }
  }

  async function setEntry(key: string, entry: Pending): Promise<void> {
    await local.write(key, entry);
    pending.set(key, entry);
  }

  async function drop(key: string, { event, hook }: Pending, reason: string): Promise<void> {
    pending.delete(key);
    await local.remove(key);
    say('hook failed', { hook: hook.name, ...subjectOf(event), reason });
  }

  async function finish(key: string, { event, hook, run }: Pending, end: { readonly exit: number | null; readonly stopped: string | null }): Promise<void> {
    pending.delete(key);
    await local.remove(key);
    const how = end.stopped === 'timeout' ? { reason: `it took longer than ${config.timeoutMs / 1_000} s` } : { exit: end.exit };
    say(end.exit === 0 && end.stopped === null ? 'hook ended' : 'hook failed', { hook: hook.name, ...subjectOf(event), ...how, log: join('.cambium/hooks/runs', run ?? '', 'output.log') });
    await files.prune(new Set([...pending.values()].map((entry) => entry.run ?? '')));
  }

  async function start(key: string, entry: Pending): Promise<boolean> {
    const { event, hook } = entry;
    const run = `${event.event}-${clone.clock.ulid()}`;
    // On record first: a daemon that dies now finds the run, or finds that there was none.
    await setEntry(key, { ...entry, run, tries: entry.tries + 1 });
    try {
      const path = await files.place(hook.oid, hook.name, await clone.store.readBlob(hook.oid));
      await clone.supervisor.start(run, files.run(run), {
        argv: [path], cwd: clone.root ?? clone.stateDir, env: { CAMBIUM_EVENT: event.event, CAMBIUM_NODE: node.identity.node }, stdin: `${JSON.stringify(event)}\n`, files: {},
      }, { timeoutMs: config.timeoutMs, silenceMs: 0, graceMs: GRACE_MS, deadlineBootMs: clone.clock.bootMs() + config.timeoutMs + 2 * GRACE_MS });
      return true;
    } catch (error) {
      await drop(key, entry, (error as Error).message);
      return false;
    }
  }

  async function work(): Promise<void> {
    for (let fleet = wanted; fleet !== null; fleet = wanted) {
      wanted = null;
      config = fleet.config.hooks;
      await note(fleet);
      await tend();
    }
  }

  /** The next pass tries again; what goes on is said once. */
  function complain(error: unknown): void {
    const reason = (error as Error).message;
    if (reason !== complained) say('hooks failed', { reason });
    complained = reason;
  }

  function look(fleet: Fleet): void {
    wanted = fleet;
    turn ??= work().catch(complain).finally(() => { turn = null; });
  }

  return {
    look,
    async close(toTheEnd) {
      await turn;
      // What fails here stays on record for the next daemon.
      for (let works = toTheEnd; works && pending.size > 0; await clone.clock.sleep(POLL_MS)) works = await tend().then(() => true, () => false);
    },
  };
}

const subjectOf = (event: FleetEvent): Readonly<Record<string, unknown>> => ('task' in event && event.task !== null ? { task: event.task } : {});

/** The executables of the folder `hooks/` on main that are named after an event. Plain files only: a symlink leads elsewhere. */
export async function hookFilesOf({ store }: Pick<Clone, 'store'>, fleet: Pick<Fleet, 'main'>): Promise<readonly HookFile[]> {
  const folder = await entryAt(store, fleet.main.tree, 'hooks');
  if (folder?.mode !== '40000') return [];
  return (await store.readTree(folder.oid)).filter(({ mode, name }) => mode === '100755' && hookedEvent(name) !== null).map(({ name, oid }) => ({ name, oid }));
}
