/** What runs need beside the node's own ports. */
import type { FleetConfig } from '../../model/config.ts';
import type { Fleet, LocalAgent } from '../../model/snapshot.ts';
import type { LimitFacts } from '../../model/limits.ts';
import type { FailureKind } from '../../model/spawn.ts';
import type { Run } from '../../model/run.ts';
import { runKey } from '../../model/run.ts';
import type { ChainReader } from '../../observe/chains.ts';
import type { Machine } from '../../ports/machine.ts';
import type { Provider } from '../../ports/provider.ts';
import type { Worktrees } from '../../ports/worktrees.ts';
import type { Node } from '../node.ts';
import type { ProjectDesk } from '../project/site.ts';

export interface Workshop {
  readonly node: Node;
  readonly reader: ChainReader;
  readonly worktrees: Worktrees;
  readonly providers: ReadonlyMap<string, Provider>;
  /** The other repositories that tasks may work in (PROTOCOL P7). */
  readonly projects: ProjectDesk;
  /** Absolute folder of one spawn's files. */
  scratch(spawn: string): string;
  /** Absolute folder that an agent's CLIs take for their home, kept between spawns. */
  home(agent: string): string;
  /** Argument vector of `cambium hook`; null where agents' CLIs get none. */
  readonly hook: readonly string[] | null;
  /** A text file that comes with cambium, by its path in the package (`templates/…`); null where it has none of that path. */
  shipped(path: string): string | null;
  config(): FleetConfig;
  fleet(): Fleet;
  agent(id: string): LocalAgent | undefined;
  readonly machine: Machine;
  /** What must be heeded before anything is started (orient/limits.ts), as of this pass. */
  limits(): LimitFacts;
  /** Leaves the provider alone on this node, until its reset or for a growing while. */
  park(provider: string, failed: { readonly failure: FailureKind; readonly reason: string; readonly resetAt: string | null }): Promise<void>;
  /** It has worked: an earlier park is forgotten. */
  unpark(provider: string): Promise<void>;
  /** One line for the log that a person reads. */
  say(event: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Boot-time ms up to which the run's claim is known to be ours (P4.4). */
  fenceAtMs(run: Run): number;
}

/** In a spawn's scratch folder: the report that its agent leaves. */
export const RESULT_FILE = 'result.md';

export async function saveRun({ node }: Workshop, run: Run): Promise<Run> {
  await node.local.write(runKey(run.task, run.epoch), run);
  return run;
}

export function forgetRun({ node }: Workshop, run: Run): Promise<void> {
  return node.local.remove(runKey(run.task, run.epoch));
}
