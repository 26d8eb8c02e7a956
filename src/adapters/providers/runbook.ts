/**
 * The embedded provider: runs the fenced `sh` blocks of the instruction file in order (DESIGN 9). No key, no
 * network, deterministic.
 *
 * Blocks named `sh` or `shell` are run, each in its own `sh -eu`, so neither variables nor `cd` carry over. Others are
 * text: `bash` too, because sh would run it wrongly; the report names such blocks. An unclosed block runs nothing.
 */
import type { Provider, SpawnReport, SpawnRequest, SpawnSpec } from '../../ports/provider.ts';
import type { SpawnEnd } from '../../ports/provider.ts';
import { fencedBlocks } from './fences.ts';
import type { FencedBlock } from './fences.ts';
import { REPORT_FILE, RUNBOOK_FILE, parseReport, renderReport } from './runbookReport.ts';
import type { RunbookOrder, RunbookReport } from './runbookReport.ts';
import { plainReader } from './plainReader.ts';
import { UNTOLD, howItEnded, judgeAll, stopOf, tailMarkdown } from './stopped.ts';

const RUN = new Set(['sh', 'shell']);
/** Shells whose blocks a reader might expect to be run. */
const ALIKE = new Set(['bash', 'zsh', 'ksh', 'fish', 'console', 'terminal']);

export interface RunbookOptions {
  /** Path of runbookMain.js and of the node that runs it. */
  readonly program: string;
  readonly node: string;
}

export function createRunbook({ program, node }: RunbookOptions): Provider {
  return {
    name: 'runbook',
    conversational: false,
    resumes: 'never',
    probe: async () => ({ version: '1' }),
    model: (asked) => asked,
    prepare: (request) => prepare(request, [node, program]),
    reader: plainReader,
    interpret,
  };
}

interface Plan {
  readonly run: readonly FencedBlock[];
  readonly passedOver: readonly FencedBlock[];
  readonly unclosed: FencedBlock | undefined;
}

function planOf(instruction: string): Plan {
  const blocks = fencedBlocks(instruction);
  const unclosed = blocks.find((block) => !block.closed && RUN.has(block.language));
  const run = unclosed === undefined ? blocks.filter((block) => RUN.has(block.language)) : [];
  return { run, passedOver: blocks.filter((block) => ALIKE.has(block.language)), unclosed };
}

function prepare(request: SpawnRequest, program: readonly string[]): SpawnSpec {
  const order: RunbookOrder = { blocks: planOf(request.instruction).run.map(({ text, line }) => ({ text, line })), scratch: request.scratch };
  return {
    argv: [...program, `${request.scratch}/${RUNBOOK_FILE}`],
    cwd: request.directory,
    env: request.variables,
    stdin: '',
    files: { [RUNBOOK_FILE]: JSON.stringify(order) },
  };
}

async function interpret(request: SpawnRequest, end: SpawnEnd, readFile: (name: string) => Promise<string | null>): Promise<SpawnReport> {
  const plan = planOf(request.instruction);
  const stop = stopOf(end);
  if (stop === null && plan.run.length === 0) return nothingToRun(request, plan);
  const report = parseReport(await readFile(REPORT_FILE));
  const all = plan.run.length;
  const passed = report !== null && report.blocks.length === all && report.blocks.every((block) => block.exit === 0);
  if (passed && stop === null && end.exit === 0) {
    return { ...base(plan, report, end), ok: true, failure: null, criteria: judgeAll(request.task, true, all === 1 ? 'its one block exited 0' : `all ${all} blocks exited 0`), retryable: true };
  }
  const reason = stop?.text ?? reasonOf(report, end);
  return {
    ...base(plan, report, end, reason),
    ok: false, failure: stop === null ? 'crashed' : stop.failure, criteria: judgeAll(request.task, false, reason), retryable: true,
  };
}

function base(plan: Plan, report: RunbookReport | null, end: SpawnEnd, reason?: string): Pick<SpawnReport, 'report' | keyof typeof UNTOLD> {
  const body = report === null || report.blocks.length === 0 ? tailMarkdown(end) : renderReport(report, plan.run.length);
  return { ...UNTOLD, report: ['# Report', reason, passedOverText(plan), body].filter((part) => part !== undefined).join('\n\n') };
}

function reasonOf(report: RunbookReport | null, end: SpawnEnd): string {
  const blocks = report?.blocks ?? [];
  const failed = blocks.findIndex((block) => block.exit !== 0);
  if (failed < 0) return `The runbook ended with ${howItEnded(end)} before all blocks had run.`;
  const { exit, line } = blocks[failed] ?? { exit: null, line: 0 };
  const how = exit === null ? `was cut short (${howItEnded(end)})` : `exited ${exit}`;
  return `Block ${failed + 1}, at line ${line} of the instruction, ${how}.`;
}

function passedOverText({ passedOver }: Plan): string | undefined {
  if (passedOver.length === 0) return undefined;
  const named = passedOver.map((block) => `line ${block.line} (${block.language})`).join(', ');
  return `Not run, because only \`sh\` and \`shell\` blocks are: ${named}.`;
}

function nothingToRun({ task }: SpawnRequest, plan: Plan): SpawnReport {
  const reason = plan.unclosed === undefined
    ? 'The instruction has no fenced `sh` block, so there was nothing to run. Add one, or give the task to another provider.'
    : `The block that begins at line ${plan.unclosed.line} is not closed, so nothing was run. Close it with the same fence.`;
  const report = ['# Report', reason, passedOverText(plan)].filter((part) => part !== undefined).join('\n\n');
  return { ...UNTOLD, ok: false, failure: 'empty', report, criteria: judgeAll(task, false, 'nothing was run'), retryable: false };
}
