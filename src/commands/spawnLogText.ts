/** A spawn's events as a person follows them: what was said, which tools were called, what came of it. */
import type { SpawnEvent } from '../model/spawnEvent.ts';
import { printable } from '../workspace/plain.ts';
import { paint } from './output.ts';
import { clipped, usageText } from './spawnText.ts';

export interface LogStyle {
  /** Columns; lines of tools are cut there. What the agent says itself is never cut. */
  readonly width: number;
  /** Lines of a tool's output that are shown. */
  readonly foldLines: number;
}

const INDENT = '  ';

/** Turns events into lines, in order; one for each log, since a result is told with its tool's name where others came between. */
export function createLogText({ width, foldLines }: LogStyle): (event: SpawnEvent) => readonly string[] {
  const tools = new Map<string, string>();
  let lastTool: string | null = null;
  let spent: string | null = null;
  let lastText = '';

  const toolLine = ({ id, name, input }: Extract<SpawnEvent, { readonly kind: 'tool' }>): readonly string[] => {
    if (id !== null) tools.set(id, name);
    lastTool = id;
    const [first = '', ...more] = printable(input).trim().split('\n');
    const about = clipped(first, Math.max(10, width - name.length - 4)) + (more.length > 0 ? paint(` … +${more.length} line${more.length === 1 ? '' : 's'}`, 2) : '');
    return [`${paint('●', 36)} ${paint(printable(name), 1)} ${about}`.trimEnd()];
  };
  const resultLines = ({ id, ok, output }: Extract<SpawnEvent, { readonly kind: 'tool_result' }>): readonly string[] => {
    const from = id !== null && id !== lastTool && tools.has(id) ? `${paint(printable(tools.get(id) ?? ''), 2)}: ` : '';
    const lines = printable(output).trimEnd().split('\n').filter((line, at) => at > 0 || line.trim() !== '');
    if (lines.length === 0) return [`${INDENT}${ok ? paint('⎿', 2) : paint('✗', 31)} ${from}${paint('(no output)', 2)}`];
    // One line more than may be shown is shown as well: "1 more line" would take its place.
    const hidden = lines.length <= foldLines + 1 ? 0 : lines.length - foldLines;
    const more = paint(`… ${hidden} more lines`, 2);
    // What went wrong stands at the end of an output, what it is about at its beginning.
    const shown = (ok ? lines.slice(0, lines.length - hidden) : lines.slice(hidden)).map((line) => paint(clipped(line.replaceAll('\t', '    '), Math.max(10, width - 6)), ok ? 2 : 31));
    const told = hidden === 0 ? shown : ok ? [...shown, more] : [more, ...shown];
    return told.map((line, at) => `${INDENT}${at === 0 ? (ok ? paint('⎿', 2) : paint('✗', 31)) : ' '} ${at === 0 ? from : ''}${line}`);
  };
  return (event) => {
    switch (event.kind) {
      case 'start': return [`${paint('▶', 36)} ${[event.model === null ? null : printable(event.model), event.session === null ? null : `session ${printable(event.session)}`].filter((part) => part !== null).join(' · ') || 'begun'}`];
      case 'text': {
        lastText = event.text.trim();
        return lastText === '' ? [] : printable(event.text.trimEnd()).split('\n');
      }
      case 'tool': return toolLine(event);
      case 'tool_result': return resultLines(event);
      // Counted after each answer by some CLIs: told once, with the end.
      case 'usage': {
        spent = usageText(event.usage, event.costUsd);
        return [];
      }
      case 'limit': return [paint(`! ${event.failure.replace('_', ' ')}${event.resetAt === null ? '' : ` until ${printable(event.resetAt)}`}: ${printable(event.text).replace(/\s+/g, ' ').trim()}`, 33)];
      case 'error': return [paint(`${event.failure === null ? '!' : '✗'} ${event.failure === null ? 'warning' : event.failure.replace('_', ' ')}: ${printable(event.text).trim()}`, event.failure === null ? 33 : 31)];
      case 'end': {
        const turns = event.turns === null ? '' : ` after ${event.turns} turn${event.turns === 1 ? '' : 's'}`;
        const head = event.ok ? paint(`■ done${turns}`, 32) : paint(`■ failed${turns}`, 31);
        // The final message was told just before by most CLIs.
        const said = event.text.trim() === '' || event.text.trim() === lastText ? [] : printable(event.text.trim()).split('\n');
        return [...said, `${head}${spent === null ? '' : paint(` · ${spent}`, 2)}`];
      }
    }
  };
}
