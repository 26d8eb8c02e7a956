/** All that is known of one spawn, for `cambium spawn show`. */
import { RESULT_FILE } from '../act/run/workshop.ts';
import { livingProcesses, lookAtScratch, scratchFiles } from '../adapters/system/spawnLook.ts';
import type { ScratchFile } from '../adapters/system/spawnLook.ts';
import { resultPath } from '../model/layout.ts';
import { fileAt } from '../observe/tree.ts';
import type { ProcessIdentity } from '../ports/process.ts';
import { scratchOf } from './localSpawns.ts';
import type { Session } from './session.ts';
import { spawnChains } from './spawnChain.ts';
import type { ChainNode } from './spawnChain.ts';
import { findSpawn } from './spawns.ts';
import type { SeenSpawn } from './spawns.ts';

export interface SpawnDetail {
  readonly spawn: SeenSpawn;
  /** What it caused, oldest first. */
  readonly children: readonly SeenSpawn[];
  /** Of what stands on this machine; null where nothing does. */
  readonly place: {
    /** Absolute path of its folder. */
    readonly folder: string;
    readonly files: readonly ScratchFile[];
    readonly supervisor: ProcessIdentity | null;
    readonly agent: ProcessIdentity | null;
    /** How many of its processes live. */
    readonly processes: number;
    readonly limits: { readonly timeoutMs: number | null; readonly silenceMs: number | null };
    readonly stopAsked: boolean;
  } | null;
  /** What the agent reported, Markdown; null where it left nothing that is known here. */
  readonly report: string | null;
}

const REPORT_CHARS_MAX = 64 * 1024;

/** Throws `unknown-spawn`, `usage` for a part of an id that several have. */
export async function spawnDetail(session: Session, ref: string): Promise<SpawnDetail> {
  const spawn = await findSpawn(session, ref);
  const scratch = scratchOf(session.clone, spawn.id);
  return { spawn, children: await childrenOf(session, spawn), place: spawn.here ? await placeOf(scratch, spawn.id) : null, report: await reportOf(session, spawn, scratch) };
}

async function placeOf(folder: string, id: string): Promise<SpawnDetail['place']> {
  const [{ supervisor, agent, timeoutMs, silenceMs, stopAsked }, files] = await Promise.all([lookAtScratch(folder), scratchFiles(folder)]);
  return { folder, files, supervisor, agent, processes: livingProcesses(id), limits: { timeoutMs, silenceMs }, stopAsked };
}

async function childrenOf(session: Session, { id, purpose }: SeenSpawn): Promise<readonly SeenSpawn[]> {
  if (purpose !== 'task' && purpose !== 'message') return [];
  const { roots } = await spawnChains(session, { id, limit: 1 });
  const find = (node: ChainNode): ChainNode | undefined => (node.spawn.id === id ? node : node.children.map(find).find((found) => found !== undefined));
  return roots.map(find).find((found) => found !== undefined)?.children.map(({ spawn }) => spawn) ?? [];
}

/** What the agent left in its folder; where that is gone, the result file that names the spawn as its last. */
async function reportOf({ clone, node, fleet }: Session, { id, task, here }: SeenSpawn, scratch: string): Promise<string | null> {
  const own = here ? await node.supervisor.readFile(scratch, RESULT_FILE) : null;
  if (own !== null && own.trim() !== '') return own.slice(0, REPORT_CHARS_MAX);
  const [known, result] = task === null ? [undefined, undefined] : [fleet.tasks.get(task), fleet.results.get(task)];
  if (known === undefined || result?.spawns.at(-1) !== id) return null;
  const file = await fileAt(clone.store, fleet.main.tree, resultPath(known.path));
  return file === null ? null : Buffer.from(file.bytes).toString('utf8').replace(/^---\n[\s\S]*?\n---\n/, '').slice(0, REPORT_CHARS_MAX);
}
