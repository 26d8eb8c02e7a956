/** `cambium explain <task>`: why it is not running, and what would make it run. */
import type { Candidate } from '../orient/candidates.ts';
import { explain } from '../workspace/explain.ts';
import type { ExplainedTask } from '../workspace/explain.ts';
import { withSession } from '../workspace/session.ts';
import { decisionRows } from './log.ts';
import { paint, table } from './output.ts';
import { plain } from '../workspace/plain.ts';
import type { Answer } from './output.ts';

export function explainCommand(id: string): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const found = await explain(session, id);
    const stale = session.stale === null ? [] : ['', `The hub could not be asked, so this is what the clone last saw: ${plain(session.stale)}`];
    return { data: { ...found, agents: found.agents.map(({ agent, node, fits, why }) => ({ agent, node, fits, why })), stale: session.stale }, text: [...lines(found), ...stale].join('\n') };
  });
}

const line = (text: string): string => plain(text).replace(/\s+/g, ' ').trim();

function lines({ task, title, state, why, mend, agents, decisions }: ExplainedTask): readonly string[] {
  return [
    `${paint(plain(task), 1)}${title === null || title === task ? '' : `  ${line(title)}`}  ${paint(state, 33)}`,
    ...why.map((text) => `  ${line(text)}`),
    ...mend.map((text) => `  → ${line(text)}`),
    ...agentLines(agents),
    ...(decisions.length === 0 ? [] : ['', paint('Decided so far, newest first', 1), ...decisionRows(decisions).split('\n').map((row) => `  ${row}`)]),
  ];
}

const AGENTS_SHOWN = 15;

function agentLines(agents: readonly Candidate[]): readonly string[] {
  if (agents.length === 0) return [];
  const sorted = agents.toSorted((a, b) => Number(b.fits) - Number(a.fits));
  const rows = sorted.slice(0, AGENTS_SHOWN).map(({ agent, node, fits, why }) => [`  ${fits ? '✓' : '✗'} ${plain(agent)}`, node === '*' ? 'any node' : `on ${plain(node)}`, line(why)]);
  return ['', paint('Agents', 1), table(rows), ...(agents.length > AGENTS_SHOWN ? [`  … and ${agents.length - AGENTS_SHOWN} more; all of them with --json`] : [])];
}
