/** All that an agent is told beside its task or messages, at one commit of the workspace: for runs, for answers and for `cambium prompt`. */
import type { AgentId, Oid } from '../../model/ids.ts';
import type { PromptSubject } from '../../model/prompt.ts';
import type { Task } from '../../model/task.ts';
import { situationLines } from '../../orient/situationLines.ts';
import { orient } from '../../orient/situation.ts';
import type { Workshop } from '../run/workshop.ts';
import { selfAndMemory } from './subject.ts';

export type ToldDesk = Pick<Workshop, 'fleet' | 'config' | 'shipped'> & { readonly node: Pick<Workshop['node'], 'store' | 'clock'> };

export interface ToldAbout {
  readonly agent: AgentId;
  readonly role: string;
  /** Null where it answers messages. */
  readonly task: Task | null;
  /** The workspace's commit that is read. */
  readonly commit: Oid;
}

/** Throws what the store throws. */
export async function toldTo(desk: ToldDesk, { agent, role, task, commit }: ToldAbout): Promise<Pick<PromptSubject, 'self' | 'template' | 'memory' | 'situation'>> {
  const { agents } = desk.config();
  const constitution = Object.hasOwn(agents, agent) ? (agents[agent]?.constitution ?? null) : null;
  const told = await selfAndMemory({ store: desk.node.store, commit, shipped: desk.shipped }, agent, role, constitution);
  const fleet = desk.fleet();
  const now = desk.node.clock.now().toISOString();
  return { ...told, situation: situationLines(fleet, orient(fleet, now), { agent, role, task, now }) };
}
