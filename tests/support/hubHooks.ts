/**
 * Hubs that misbehave at a chosen moment: they hold pushes back until the test lets them go, and die between two
 * renames of one transaction. Nothing here waits by a timer: a held push sleeps in the opening of a pipe.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readProcess } from '../../src/adapters/system/processTable.ts';
import { gitIn, setHook } from './repo.ts';

export interface HoldOptions {
  /** Hold only pushes that move a ref matching each of these; every push when empty. */
  readonly moving?: readonly RegExp[];
  /** Hold no more than so many; later ones pass. */
  readonly most?: number;
}

export interface Gate {
  /** From now on pushes wait in the hub's pre-receive hook: the refs are read, nothing has moved. */
  hold(options?: HoldOptions): void;
  /** How many wait, or have waited since `hold`. */
  held(): number;
  /** True when the hub has answered every push that was held. */
  settled(): boolean;
  /** Lets all go on, and those that come later. */
  open(): void;
}

/** A gate before the hub's refs, for every transport. */
export function gateOf(hub: string): Gate {
  const folder = join(hub, 'gate');
  const fifo = join(folder, 'hold');
  let writer: number | null = null;
  // A keepalive to a client that is gone would end receive-pack before it has moved anything.
  gitIn(hub, ['config', 'receive.keepAlive', '0']);

  const held = (): string[] => (existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('held.')) : []);

  function forget(): void {
    rmSync(folder, { recursive: true, force: true });
    if (writer !== null) closeSync(writer);
    writer = null;
  }

  return {
    hold({ moving = [], most = 1_000 } = {}) {
      forget();
      mkdirSync(folder);
      execFileSync('mkfifo', [fifo]);
      setHook(hub, 'pre-receive', holdScript(folder, moving, most));
    },
    held: () => held().length,
    settled: () => held().every((name) => {
      const pid = pidIn(join(folder, name, 'pid'));
      return pid === null || readProcess(pid) === null;
    }),
    open() {
      if (!existsSync(fifo)) return;
      // Readers that sleep in open(2) wake up, and while a writer stays later ones do not sleep at all.
      writer ??= openSync(fifo, constants.O_RDWR);
    },
  };
}

/** `true < pipe` sleeps until somebody opens the pipe for writing. Slots are folders, for only one mkdir wins. */
function holdScript(folder: string, moving: readonly RegExp[], most: number): string {
  const conditions = moving.map(({ source }) => `echo "$moves" | grep -qE '${source}' || exit 0`).join('\n');
  return `moves=$(cat)\n${conditions}\nn=0
while ! mkdir '${folder}'/held.$n 2>/dev/null; do n=$((n+1)); [ $n -lt ${most} ] && [ -d '${folder}' ] || exit 0; done
echo $PPID > '${folder}'/held.$n/pid
true < '${join(folder, 'hold')}'
exit 0`;
}

const strace = spawnSync('strace', ['-qq', '-o', '/dev/null', '-e', 'inject=rename:signal=KILL:when=1', 'true']);
/** False where strace is missing or may not trace. */
export const canStrace = strace.status === 0;

export interface DyingHub {
  /** The next push of this clone that moves `ref` dies just before that ref moves; its client never hears. */
  arm(ref: string): void;
  /** The same, and the client hears at once that the hub hung up; whoever runs the hub has cleared the locks by then. */
  armHangUp(ref: string): void;
  fired(): boolean;
  /** Ends what the dead push left hanging, and clears the locks that git leaves, as whoever runs the hub would. */
  clear(): void;
}

/** Pushes of one clone go through a receive-pack that can be made to die between two renames. Path transport only. */
export function dyingHub(root: string, hub: string, clone: string): DyingHub {
  const [armed, hangUp, fired, script] = ['armed', 'hang-up', 'fired', 'receive-pack'].map((name) => join(root, name)) as [string, string, string, string];
  // git renames `<hub>/./<ref>.lock`; strace compares the words, so every spelling is given.
  writeFileSync(script, `#!/bin/sh
ref=$(cat '${armed}' 2>/dev/null) || exec git receive-pack "$@"
strace -qq -o /dev/null -P "$ref.lock" -P "./$ref.lock" -P "$1/$ref.lock" -P "$1/./$ref.lock" -e trace=rename,renameat,renameat2 -e inject=rename,renameat,renameat2:signal=KILL:when=1 git-receive-pack "$@" 2>/dev/null
[ $? -ne 0 ] || exit 0
rm -f '${armed}'
if [ -e '${hangUp}' ]; then rm '${hangUp}'; find "$1" -name '*.lock' -delete; echo $$ > '${fired}'; exit 1; fi
echo $$ > '${fired}'
exec tail -f /dev/null
`);
  chmodSync(script, 0o755);
  gitIn(clone, ['config', 'remote.origin.receivepack', script]);
  return {
    arm: (ref) => writeFileSync(armed, ref),
    armHangUp(ref) {
      writeFileSync(hangUp, '');
      writeFileSync(armed, ref);
    },
    fired: () => pidIn(fired) !== null,
    clear() {
      killQuietly(pidIn(fired));
      for (const name of readdirSync(hub, { recursive: true, encoding: 'utf8' })) if (name.endsWith('.lock')) rmSync(join(hub, name));
      gitIn(clone, ['config', '--unset', 'remote.origin.receivepack']);
    },
  };
}

export interface LosingHub {
  fired(): boolean;
  clear(): void;
}

/**
 * A hub that moves its refs in another order than git's files do, and dies before `ref` has moved: the next transaction
 * that moves it loses that half, and its client never hears.
 */
export function losingHub(root: string, hub: string, ref: string): LosingHub {
  const [armed, fired] = [join(root, 'lose'), join(root, 'lost')];
  writeFileSync(armed, '');
  setHook(hub, 'reference-transaction', `[ "$1" = committed ] && [ -e '${armed}' ] || exit 0
old=$(grep ' ${ref}$' | cut -d ' ' -f 1)
[ -n "$old" ] || exit 0
rm '${armed}'
case $old in *[1-9a-f]*) git update-ref '${ref}' "$old" ;; *) git update-ref -d '${ref}' ;; esac
echo "$PPID $$" > '${fired}'
exec tail -f /dev/null`);
  return {
    fired: () => pidIn(fired) !== null,
    clear() {
      for (const pid of readFileSync(fired, 'utf8').split(' ')) killQuietly(Number(pid));
      setHook(hub, 'reference-transaction', null);
    },
  };
}

function pidIn(path: string): number | null {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  return text.endsWith('\n') ? Number.parseInt(text, 10) : null;
}

function killQuietly(pid: number | null): void {
  try {
    if (pid !== null) process.kill(pid, 'SIGKILL');
  } catch {
    // It ended with its client.
  }
}
