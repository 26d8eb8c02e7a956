/** What was decided in the fleet and why: this node's decision log, merged with what the claim chains of the hub tell. */
import { isHubAway } from '../errors.ts';
import { ulidTime } from '../model/archive.ts';
import type { Chain, ClaimRecord } from '../model/claim.ts';
import type { DecisionRecord, ToldDecision } from '../model/decision.ts';
import type { TaskId } from '../model/ids.ts';
import { archivedChain, archivedNames } from '../observe/archive.ts';
import { before } from '../observe/chains.ts';
import type { DecisionLog } from '../ports/decisionLog.ts';
import { decisionLogOf } from './loop.ts';
import type { Session } from './session.ts';

export interface DecisionQuery {
  readonly task?: TaskId | undefined;
  /** How many, newest first. */
  readonly limit: number;
}

export async function readDecisions(session: Session, query: DecisionQuery, log: DecisionLog = decisionLogOf(session.clone)): Promise<readonly ToldDecision[]> {
  const [own, told] = [await ownDecisions(log, query), await chainDecisions(session, query)];
  return merge(own, told).slice(0, query.limit);
}

/** Twice as many as asked for: some of them are transitions that the chains tell too. */
async function ownDecisions(log: DecisionLog, { task, limit }: DecisionQuery): Promise<readonly DecisionRecord[]> {
  const found: DecisionRecord[] = [];
  if (limit === 0) return found;
  for await (const record of log.read()) {
    if (task !== undefined && record.task !== task) continue;
    found.push(record);
    if (found.length >= limit * 2) break;
  }
  return found;
}

/** The newest transitions of all chains, walking back only those that are still the newest. */
async function chainDecisions(session: Session, { task, limit }: DecisionQuery): Promise<readonly ToldDecision[]> {
  const { clone, fleet } = session;
  const tips = task === undefined ? [...fleet.chains.values()] : [await chainOf(session, task)].filter((chain) => chain !== undefined);
  const heads = await Promise.all(tips.map((chain) => timed(clone, chain)));
  heads.sort(byTime);
  const found: ToldDecision[] = [];
  for (let head = heads.shift(); head !== undefined && found.length < limit * 2; head = heads.shift()) {
    found.push(toldBy(head));
    const older = await before(clone.store, clone.reader, head.chain);
    if (older !== undefined) insert(heads, await timed(clone, older));
  }
  return found;
}

/** A task's chain, also when it was collected into the archive; then the hub may have to be asked. */
async function chainOf({ clone, fleet }: Session, task: TaskId): Promise<Chain | undefined> {
  const live = fleet.chains.get(task);
  if (live !== undefined || (await archivedNames(clone.store, fleet.main.tree)).get(task) === undefined) return live;
  try {
    return await archivedChain(clone.store, clone.hub, clone.reader, clone.mirror.known(), task);
  } catch (error) {
    if (isHubAway(error)) return undefined;
    throw error;
  }
}

interface Timed {
  readonly chain: Chain;
  /** UTC ISO. */
  readonly at: string;
}

const byTime = (a: { readonly at: string }, b: { readonly at: string }): number => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0);

function insert(heads: Timed[], head: Timed): void {
  const at = heads.findIndex((other) => other.at < head.at);
  heads.splice(at === -1 ? heads.length : at, 0, head);
}

/** An op-id holds its time; one that somebody made up has the time of its commit. A repair carries the op-id of what it repairs. */
async function timed({ store }: Session['clone'], chain: Chain): Promise<Timed> {
  const ms = chain.record.by === undefined ? ulidTime(chain.record.op) : null;
  return { chain, at: new Date(ms ?? (await store.readCommit(chain.tip)).committer.seconds * 1000).toISOString() };
}

function toldBy({ chain: { tip, record }, at }: Timed): ToldDecision {
  const { kind, task, agent, node, epoch } = record;
  return { at, node, cycle: null, kind, task, agent, epoch, reason: reasonOf(record), commit: tip };
}

const UNSAID: Partial<Record<ClaimRecord['kind'], string>> = { claim: 'it was ready and fits', renew: 'the claim is kept alive', done: 'work and result are on main', failed: 'it ended as failed', review: 'finished work waits for its reviewer' };

function reasonOf({ kind, reason, question, by }: ClaimRecord): string {
  const said = question ?? reason ?? UNSAID[kind] ?? '';
  return by === undefined ? said : `${said === '' ? '' : `${said} `}(by ${by})`;
}

/** What is one and the same decision, told twice: the epoch tells claims apart, and each is ended once. */
function keyOf({ task, epoch, kind }: DecisionRecord | ToldDecision): string {
  return `${task} ${epoch} ${kind === 'takeover' ? 'claim' : kind}`;
}

function merge(own: readonly DecisionRecord[], told: readonly ToldDecision[]): readonly ToldDecision[] {
  const transitions = new Map(told.map((decision) => [keyOf(decision), decision]));
  const known = new Set<string>();
  const lines = own.toReversed().flatMap((record): ToldDecision[] => {
    const key = keyOf(record);
    const transition = record.task === null ? undefined : transitions.get(key);
    if (transition !== undefined && known.has(key)) return [];
    known.add(key);
    return [{ ...record, commit: transition?.commit ?? null }];
  });
  const others = told.filter((decision) => !known.has(keyOf(decision)));
  return [...lines.toReversed(), ...others].toSorted(byTime);
}
