/** A clone of the workspace with its ports, as commands get it from compose.ts. Types only. */
import type { Node } from '../act/node.ts';
import type { ChainReader } from '../observe/chains.ts';
import type { FleetReader } from '../observe/fleet.ts';
import type { Checkout } from '../ports/checkout.ts';
import type { Projects } from '../ports/projects.ts';
import type { Worktrees } from '../ports/worktrees.ts';

export interface Clone extends Omit<Node, 'identity'> {
  readonly place: GitPlace;
  /** Top of the work tree; null in a bare clone. */
  readonly root: string | null;
  readonly gitDir: string;
  readonly commonDir: string;
  /** `<git common dir>/cambium`: what must outlive `.cambium/`. */
  readonly stateDir: string;
  /** `.cambium/` of the work tree: worktrees, spawn logs. */
  readonly workDir: string;
  readonly branch: string;
  /** The remote that is the hub; null while the hub is the embedded one. */
  readonly remote: string | null;
  readonly reader: ChainReader;
  readonly fleets: FleetReader;
  readonly worktrees: Worktrees;
  readonly projects: Projects;
  checkout(): Promise<Checkout>;
  close(): Promise<void>;
}

export interface GitPlace {
  readonly root: string | null;
  readonly gitDir: string;
  readonly commonDir: string;
  readonly settings: ReadonlyMap<string, string>;
  /** Branch that HEAD is on; null when detached. */
  readonly head: string | null;
}
