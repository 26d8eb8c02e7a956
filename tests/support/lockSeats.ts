/** Clones of one bare hub, opened in this process, that lock and reserve: and a race between them that all begin before any has won. */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { giveBackMember, lockKey, reserveMember, takeMember, unreserveMember } from '../../src/act/locks.ts';
import type { LockAsk } from '../../src/act/locks.ts';
import type { Node } from '../../src/act/node.ts';
import { publish } from '../../src/act/publish.ts';
import type { Member, Published } from '../../src/act/publish.ts';
import { openGitHub } from '../../src/adapters/git/hub.ts';
import { openGitStore } from '../../src/adapters/git/store.ts';
import { createMemoryLocal } from '../../src/adapters/memory/local.ts';
import { createSystemClock } from '../../src/adapters/system/clock.ts';
import type { LockRecord } from '../../src/model/lock.ts';
import { openHubMirror } from '../../src/observe/hubMirror.ts';
import { parseLockRecord } from '../../src/observe/lockRecord.ts';
import type { Supervisor } from '../../src/ports/process.ts';
import { gitIn, makeBareHub, makeClone, setHook, tempDir, writeCommit } from './repo.ts';

const MARIA = { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0100' };

type End = Promise<Published<LockRecord>>;

export interface LockSeats {
  /** Names of the locks, and counts, are asked of the bare hub itself. */
  readonly hub: string;
  readonly seats: readonly Node[];
  take(node: Node, name: string, more?: Partial<LockAsk>): End;
  giveBack(node: Node, name: string, force?: string): End;
  reserve(node: Node, globs: readonly string[], more?: Partial<LockAsk>): End;
  unreserve(node: Node, globs: readonly string[]): End;
  onHub(name: string): LockRecord;
  /** All seats run; the hub accepts none before as many pushes as seats stand before it. `gathered` says whether they did. */
  race<T>(run: (node: Node) => Promise<T>): Promise<{ readonly ends: readonly T[]; readonly gathered: boolean }>;
  close(): Promise<void>;
}

export async function openLockSeats(count: number): Promise<LockSeats> {
  const folder = tempDir('locks');
  const hub = join(folder.path, 'hub.git');
  makeBareHub(hub);
  const founder = makeClone(join(folder.path, 'founder'), hub);
  gitIn(founder, ['push', '--quiet', hub, `${writeCommit(founder, 'first')}:refs/heads/main`, `${writeCommit(founder, 'marker')}:refs/cambium/fleet`]);
  const seats = await Promise.all(Array.from({ length: count }, (_, at) => openSeat(join(folder.path, `vm-${at + 1}`), hub, at + 1)));
  return {
    hub, seats,
    take: (node, name, more) => push(node, takeMember(node, name, asking(node, more)), name),
    giveBack: (node, name, force) => push(node, giveBackMember(node, name, { ...asking(node), ...(force === undefined ? {} : { force }) }), name),
    reserve: (node, globs, more) => push(node, reserveMember(node, globs, asking(node, more)), 'paths'),
    unreserve: (node, globs) => push(node, unreserveMember(node, globs, asking(node)), 'paths'),
    onHub: (name) => parseLockRecord(Buffer.from(gitIn(hub, ['cat-file', 'blob', `refs/cambium/locks/${name}:lock.json`]))),
    race: (run) => race(join(folder.path, 'gate'), hub, seats, run),
    async close() {
      await Promise.all(seats.map(({ store }) => store.close()));
      folder.remove();
    },
  };
}

async function openSeat(path: string, url: string, number: number): Promise<Node> {
  const gitDir = join(makeClone(path, url), '.git');
  const store = await openGitStore({ gitDir });
  const hub = openGitHub({ gitDir, url });
  const mirror = await openHubMirror({ store, hub, local: createMemoryLocal(), branch: 'main', trackingRef: null });
  await mirror.refresh();
  const node = `vm-${number}`;
  const identity = { node, incarnation: `life-${node}`, machine: 'm', bootId: 'b', process: { boot_id: 'b', namespace: 'n', pid: number, start: 1 } };
  return { identity, store, hub, mirror, clock: createSystemClock(), local: createMemoryLocal(), supervisor: { alive: async () => true } as unknown as Supervisor, version: '0', config: () => null };
}

function asking({ identity: { node } }: Node, more: Partial<LockAsk> = {}): LockAsk {
  return { party: { holder: `agent:${node}`, node }, by: MARIA, why: '', ttlS: 600, isLapsed: () => false, ...more };
}

async function push(node: Node, member: Member<LockRecord>, name: string): End {
  return (await publish(node, [member], { trustKnown: true })).get(lockKey(name)) as Published<LockRecord>;
}

async function race<T>(gate: string, hub: string, seats: readonly Node[], run: (node: Node) => Promise<T>): Promise<{ readonly ends: readonly T[]; readonly gathered: boolean }> {
  mkdirSync(gate);
  await Promise.all(seats.map(({ mirror }) => mirror.refresh()));
  setHook(hub, 'pre-receive', `[ -e '${gate}/open' ] && exit 0\ntouch '${gate}'/$$; n=0\nwhile [ ! -e '${gate}/open' ]; do\n  [ "$(ls '${gate}' | wc -l)" -ge ${seats.length} ] && touch '${gate}/open'\n  n=$((n+1)); [ $n -gt 400 ] && exit 0\n  sleep 0.05\ndone`);
  try {
    const ends = await Promise.all(seats.map(run));
    return { ends, gathered: existsSync(join(gate, 'open')) };
  } finally {
    setHook(hub, 'pre-receive', null);
    rmSync(gate, { recursive: true });
  }
}
