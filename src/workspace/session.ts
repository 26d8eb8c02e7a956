/** What most commands need: the clone, its fleet as fresh as can be had, and who acts. */
import { join } from 'node:path';
import { agentSignature } from '../act/node.ts';
import type { Node } from '../act/node.ts';
import { settleAll } from '../act/settle.ts';
import { variable } from '../adapters/system/environment.ts';
import { daemonOwner } from '../adapters/system/daemonLock.ts';
import { signalExactly } from '../adapters/system/descendants.ts';
import { CambiumError, isHubAway } from '../errors.ts';
import type { Signature } from '../model/git.ts';
import { isAgentId } from '../model/ids.ts';
import type { Fleet } from '../model/snapshot.ts';
import { nodeName, nodeOf, openClone } from './compose.ts';
import type { Clone } from './clone.ts';

export interface Session {
  readonly clone: Clone;
  readonly node: Node;
  readonly fleet: Fleet;
  /** Set when the hub could not be asked and the fleet is what this clone last saw. */
  readonly stale: string | null;
  /** Who acts where nobody is named: CAMBIUM_AGENT, or the agent that the library was opened for. */
  readonly agent: string | undefined;
  /** Something a person should know that changes nothing about the answer. */
  note(text: string): void;
}

/** True while a daemon serves this clone: it keeps the local view fresh and the checkout up to date. */
export async function daemonRuns(clone: Pick<Clone, 'stateDir'>): Promise<boolean> {
  return (await daemonOwner(join(clone.stateDir, 'daemon'))) !== null;
}

/** Tells this clone's daemon to look now. A daemon that is gone meanwhile needs no telling. */
export async function nudgeDaemon(clone: Pick<Clone, 'stateDir'>): Promise<void> {
  const owner = await daemonOwner(join(clone.stateDir, 'daemon'));
  if (owner !== null) signalExactly(owner, 'SIGUSR2');
}

export interface SessionOptions {
  readonly node?: string | undefined;
  /** Reading commands answer from what is known when the hub is away; others need it. */
  readonly needsHub: boolean;
  /** What this clone knows is enough: the hub is asked only where nothing is known yet. */
  readonly asKnown?: boolean;
  readonly agent?: string | undefined;
  readonly note?: (text: string) => void;
}

/** Runs the body with the clone around the current folder, and always closes it. */
export async function withSession<T>(options: SessionOptions, body: (session: Session) => Promise<T>): Promise<T> {
  const clone = await openClone();
  leaveWorktree(clone);
  try {
    return await inSession(clone, { agent: variable('CAMBIUM_AGENT'), note: (text) => void process.stderr.write(`cambium: ${text}\n`), ...options }, body);
  } finally {
    await clone.close();
  }
}

/** A session of an agent stands in its worktree, which goes when the task is ended: git cannot run in a folder that is gone. */
function leaveWorktree({ root, workDir }: Clone): void {
  if (root !== null && process.cwd().startsWith(join(workDir, 'worktrees', ''))) process.chdir(root);
}

/** One question or one deed on an open clone: the hub is asked first, and a running daemon is told afterwards. */
export async function inSession<T>(clone: Clone, options: SessionOptions, body: (session: Session) => Promise<T>): Promise<T> {
  const node = await nodeOf(clone, nodeName(clone.place, options.node), clone.clock.ulid());
  const stale = options.asKnown === true && clone.mirror.known().main !== null ? null : await refresh(clone, options.needsHub);
  if (options.needsHub) await settleAll(node, clone.reader, 5_000);
  const view = clone.mirror.known();
  if (view.main === null) throw new CambiumError('hub-not-joined', `The hub has no branch ${clone.branch}.`, { hint: 'Run `cambium join <url>` in a workspace to set it up.' });
  const answer = await body({ clone, node, fleet: await clone.fleets.read(view), stale, agent: options.agent, note: options.note ?? (() => undefined) });
  if (options.needsHub) await nudgeDaemon(clone);
  return answer;
}

/** A running daemon has asked the hub seconds ago; reading what it keeps costs no network. */
async function refresh(clone: Clone, needsHub: boolean): Promise<string | null> {
  if (!needsHub && (await daemonRuns(clone))) return null;
  try {
    await clone.mirror.refresh();
    return null;
  } catch (error) {
    if (needsHub || !isHubAway(error)) throw error;
    return error.message;
  }
}

/** Who does what a command asks: the person, or the agent that acts. */
export async function actor({ clone, node, agent }: Session): Promise<Signature> {
  return agent !== undefined && isAgentId(agent) ? agentSignature(node, agent) : (await clone.checkout()).person();
}

export function unknownTask({ fleet }: Session, id: string): CambiumError {
  const close = [...fleet.tasks.keys()].filter((known) => known.startsWith(id) || known.includes(id)).slice(0, 3);
  return new CambiumError('unknown-task', `There is no task ${id}.`, { hint: close.length > 0 ? `Did you mean ${close.join(', ')}?` : 'See `cambium task list`.' });
}

export function agentOf({ agent: acting }: Pick<Session, 'agent'>, asked: string | undefined): string {
  const agent = asked ?? acting;
  if (agent === undefined) throw new CambiumError('usage', 'Which agent acts?', { hint: 'Add `--agent worker-1`, or set CAMBIUM_AGENT.' });
  if (isAgentId(agent)) return agent;
  throw new CambiumError('usage', `${agent} is no good agent id.`, { hint: 'Use lower-case letters, digits, - and _; some words are reserved.' });
}
