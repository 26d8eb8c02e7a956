/** `cambium cycle`: what is to be done now, carried out; with `--dry-run` only told, with the reasons. */
import type { Decision } from '../model/decision.ts';
import { openClone } from '../workspace/compose.ts';
import { planCycle, runCycle } from '../workspace/cycle.ts';
import type { CycleReport, PlannedCycle } from '../workspace/cycle.ts';
import { paint, table } from './output.ts';
import { plain } from '../workspace/plain.ts';
import type { Answer } from './output.ts';

export interface CycleCommandOptions {
  readonly node?: string | undefined;
  /** Comma-separated. */
  readonly agents?: string | undefined;
  readonly dryRun?: boolean | undefined;
}

/** Exit 0 when something was done (or, dry, is planned), 3 when there was nothing to do. */
export async function cycleCommand({ node, agents, dryRun }: CycleCommandOptions): Promise<Answer> {
  const options = { node, agents: agents?.split(',').map((id) => id.trim()).filter((id) => id !== '') };
  const clone = await openClone();
  try {
    return dryRun === true ? planAnswer(await planCycle(clone, options)) : cycleAnswer(await runCycle(clone, options));
  } finally {
    await clone.close();
  }
}

function cycleAnswer({ events, running, acted }: CycleReport): Answer {
  const line = ({ event, ...fields }: Readonly<Record<string, unknown>>): string => [String(event), ...Object.entries(fields).flatMap(([key, value]) => (value === null || value === undefined ? [] : [`${key} ${plain(String(value)).replace(/\s+/g, ' ').trim()}`]))].join('  ');
  const text = events.length > 0 ? events.map(line).join('\n') : acted ? 'Done: see `cambium log`.' : 'Nothing to do.';
  return { data: { events, running }, text, exit: acted ? 0 : 3 };
}

const LEFT_SHOWN = 20;

function planAnswer({ node, agents, daemon, does, leaves, notes }: PlannedCycle): Answer {
  const told = leaves.length > LEFT_SHOWN ? [`  … and ${leaves.length - LEFT_SHOWN} more; all of them with --json`] : [];
  const lines = [
    `Node ${paint(node, 1)}, ${agents.length === 0 ? 'no agents' : `agent${agents.length === 1 ? '' : 's'} ${agents.join(', ')}`}. ${daemon ? 'A daemon serves this clone and does this by itself.' : 'Nothing was changed: `cambium cycle` does it.'}`,
    '', ...(does.length === 0 ? ['Nothing to do.'] : [paint('Would do', 1), rows(does)]),
    ...(leaves.length === 0 ? [] : ['', paint('Leaves alone', 1), rows(leaves.slice(0, LEFT_SHOWN)), ...told]),
    ...(notes.length === 0 ? [] : ['', ...notes.map((note) => `Note: ${plain(note)}`)]),
  ];
  return { data: { node, agents, daemon, plan: does, left: leaves, notes }, text: lines.join('\n'), exit: does.length === 0 ? 3 : 0 };
}

function rows(decisions: readonly Decision[]): string {
  return table(decisions.map(({ kind, task, agent, reason }) => [`  ${plain(kind)}`, plain(task ?? '·'), plain(agent ?? ''), plain(reason).replace(/\s+/g, ' ')]));
}
