/** What runs need beside the node's own ports. */
import type { FleetConfig } from '../../model/config.ts';
import type { Fleet, LocalAgent } from '../../model/snapshot.ts';
import type { Run } from '../../model/run.ts';
import { runKey } from '../../model/run.ts';
import type { ChainReader } from '../../observe/chains.ts';
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
  /** Folder of one spawn's files. */
  scratch(spawn: string): string;
  config(): FleetConfig;
  fleet(): Fleet;
  agent(id: string): LocalAgent | undefined;
  /** One line for the log that a person reads. */
  say(event: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Boot-time ms up to which the run's claim is known to be ours (P4.4). */
  fenceAtMs(run: Run): number;
}

export async function saveRun({ node }: Workshop, run: Run): Promise<Run> {
  await node.local.write(runKey(run.task, run.epoch), run);
  return run;
}

export function forgetRun({ node }: Workshop, run: Run): Promise<void> {
  return node.local.remove(runKey(run.task, run.epoch));
}
