/** Fenced code blocks of Markdown: found to be run, written so that nothing inside can end them. Pure. */

export interface FencedBlock {
  /** First word after the fence, lower case; empty when there is none. */
  readonly language: string;
  readonly text: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
  readonly closed: boolean;
}

interface Opening {
  readonly indent: string;
  readonly fence: string;
  readonly language: string;
  readonly line: number;
}

/**
 * Blocks of backticks or tildes in order. A fence may be indented to any depth (list items), and its lines lose
 * that much indentation. What stands in an HTML comment or a quotation is no block: its author took it out.
 */
export function fencedBlocks(markdown: string): readonly FencedBlock[] {
  const blocks: FencedBlock[] = [];
  let open: Opening | null = null;
  let inside: string[] = [];
  let inComment = false;
  const close = (at: Opening, closed: boolean): void => {
    blocks.push({ language: at.language, text: inside.join(''), line: at.line, closed });
    open = null;
    inside = [];
  };
  for (const [index, line] of markdown.split(/\r?\n/).entries()) {
    if (open !== null) {
      if (endsBlock(line, open)) close(open, true);
      else inside.push(`${unindent(line, open.indent)}\n`);
    } else if (inComment || line.trimStart().startsWith('<!--')) {
      inComment = !line.includes('-->');
    } else {
      open = opening(line, index + 1);
    }
  }
  if (open !== null) close(open, false);
  return blocks;
}

function opening(line: string, number: number): Opening | null {
  const found = /^(\s*)(`{3,}|~{3,})\s*(.*)$/.exec(line);
  if (found === null) return null;
  const [, indent = '', fence = '', info = ''] = found;
  // A backtick after a backtick fence makes it inline code.
  if (fence.startsWith('`') && info.includes('`')) return null;
  return { indent, fence, language: (/^[^\s{]*/.exec(info)?.[0] ?? '').toLowerCase(), line: number };
}

function endsBlock(line: string, open: Opening): boolean {
  const text = line.trim();
  return text.length >= open.fence.length && text === open.fence.charAt(0).repeat(text.length);
}

function unindent(line: string, indent: string): string {
  let at = 0;
  while (at < indent.length && (line[at] === ' ' || line[at] === '\t')) at++;
  return line.slice(at);
}

/** The text as a fenced block whose fence is longer than any run of backticks inside. */
export function fenced(text: string, language = ''): string {
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(Math.max(3, longest + 1));
  return `${fence}${language}\n${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${fence}`;
}
