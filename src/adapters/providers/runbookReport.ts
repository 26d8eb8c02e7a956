/** The file a runbook process leaves behind, and the Markdown a person reads of it. Pure. */
import { fenced } from './fences.ts';

export const RUNBOOK_FILE = 'runbook.json';
export const REPORT_FILE = 'report.json';

export interface RunbookBlock {
  readonly text: string;
  /** Line of the instruction where it begins. */
  readonly line: number;
}

/** What `runbookMain.js` is given. */
export interface RunbookOrder {
  readonly blocks: readonly RunbookBlock[];
  readonly scratch: string;
}

export interface BlockReport {
  readonly line: number;
  readonly command: string;
  /** 128 + n when signal n ended it; null while it runs. */
  readonly exit: number | null;
  readonly seconds: number;
  /** The end of what it printed, redacted. */
  readonly output: string;
  /** Bytes of output before that. */
  readonly omitted: number;
}

/** One entry for each block that was started. */
export interface RunbookReport {
  readonly schema: 'cambium.runbook/1';
  readonly blocks: readonly BlockReport[];
}

/** Null for anything a runbook process did not write whole. */
export function parseReport(text: string | null): RunbookReport | null {
  try {
    const value = JSON.parse(text ?? 'null') as Partial<RunbookReport> | null;
    if (!Array.isArray(value?.blocks)) return null;
    return { schema: 'cambium.runbook/1', blocks: (value.blocks as readonly Partial<BlockReport>[]).map(blockOf) };
  } catch {
    return null;
  }
}

function blockOf(value: Partial<BlockReport>): BlockReport {
  return {
    line: Number(value.line ?? 0), command: String(value.command ?? ''), exit: typeof value.exit === 'number' ? value.exit : null,
    seconds: Number(value.seconds ?? 0), output: String(value.output ?? ''), omitted: Number(value.omitted ?? 0),
  };
}

/** `total` is the number of blocks in the instruction. */
export function renderReport(report: RunbookReport, total: number): string {
  return report.blocks.map((block, index) => renderBlock(block, `Block ${index + 1} of ${total}`)).join('\n\n');
}

function renderBlock(block: BlockReport, name: string): string {
  const how = block.exit === null ? 'did not end' : `exit ${block.exit}, ${block.seconds.toFixed(1)} s`;
  const omitted = block.omitted > 0 ? [`The first ${block.omitted} bytes of output are left out.`] : [];
  const output = block.output === '' ? ['No output.'] : [...omitted, fenced(block.output, 'text')];
  return [`## ${name}: ${how}`, fenced(block.command, 'sh'), ...output].join('\n\n');
}
