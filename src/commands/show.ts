/** `cambium show <task>`: one task with everything that belongs to it. */
import { withSession } from '../workspace/session.ts';
import { wholeTask } from '../workspace/show.ts';
import type { WholeTask } from '../workspace/show.ts';
import { paint, table } from './output.ts';
import { plain } from '../workspace/plain.ts';
import type { Answer } from './output.ts';
import { bodiesText, chainText, headText, staleText } from './taskShow.ts';

export function showWholeCommand(id: string): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const task = await wholeTask(session, id);
    return { data: task, text: [...headText(task), ...attemptsText(task), ...chainText(task), ...commitsText(task), ...bodiesText(task), ...diffLines(task), ...staleText(session)].join('\n') };
  });
}

function attemptsText({ attempts }: WholeTask): string[] {
  if (attempts.length === 0) return [];
  const rows = attempts.map(({ epoch, attempt, agent, node, from, to, end, reason }) => [`  epoch ${epoch}`, `attempt ${attempt}`, `${agent ?? '?'} on ${node ?? '?'}`, `${from} → ${to ?? 'now'}`, `${end ?? 'at work'}${reason === null ? '' : `: ${plain(reason).replace(/\s+/g, ' ').slice(0, 100)}`}`]);
  return ['', 'Attempts, oldest first:', table(rows)];
}

function commitsText({ commits }: WholeTask): string[] {
  return commits.length === 0 ? [] : ['', 'Commits:', table(commits.map(({ oid, what }) => [`  ${oid.slice(0, 10)}`, what]))];
}

function diffLines({ diff, commits }: WholeTask): string[] {
  if (diff === null) return [];
  if (diff.text.trim() === '') return ['', 'It changed no file but those that the fleet writes itself.'];
  const lines = plain(diff.text.trimEnd()).split('\n').map((line) => (line.startsWith('+') ? paint(line, 32) : line.startsWith('-') ? paint(line, 31) : line.startsWith('@@') ? paint(line, 36) : line));
  return ['', '--- what it changed ---', ...lines, ...(diff.cut ? [`… and more: git show ${commits[0]?.oid.slice(0, 10)}`] : [])];
}
