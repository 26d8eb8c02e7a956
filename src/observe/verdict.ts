/** The verdict that an answer begins with, where it was asked for one. */

export interface Judgement {
  /** In the agent's own words, one line; null where it named none. */
  readonly verdict: string | null;
  /** What it says beside. */
  readonly reason: string;
}

/** `verdict: yes`, also in bold, as a heading or as a list's item; what stands behind a word that only begins so is none. */
const VERDICT = /^[\s>#*_-]*verdict[*_]*\s*[:：][*_]*\s*(\S.*)$/iu;

/** Never throws. Agents chat before they come to it: the first line that is one counts, wherever it stands. */
export function parseJudgement(text: string): Judgement {
  const lines = text.split(/\r?\n/);
  const at = lines.findIndex((line) => VERDICT.test(line));
  const said = at < 0 ? undefined : VERDICT.exec(lines[at] as string)?.[1];
  if (said === undefined) return { verdict: null, reason: text.trim() };
  return { verdict: said.replace(/[*_\s]+$/u, ''), reason: lines.filter((_, line) => line !== at).join('\n').trim() };
}
