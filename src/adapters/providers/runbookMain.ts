/**
 * Runs the blocks of a runbook: `node runbookMain.js <runbook.json>`, in the task's working directory, under the
 * supervisor. Each block is a file of its own, run as `sh -eu FILE` with empty input; the first that fails ends
 * the run with its exit code. Imports node builtins and files that do the same.
 */
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { bootMs } from '../system/bootClock.ts';
import { sleep } from '../system/clock.ts';
import { writeWhole } from '../system/durable.ts';
import { redact, secretValues } from '../system/redact.ts';
import { REPORT_FILE } from './runbookReport.ts';
import type { BlockReport, RunbookBlock, RunbookOrder } from './runbookReport.ts';

/** Output kept of each block; the log has all of it. */
const OUTPUT_BYTES_MAX = 16 * 1024;
/** A service that a block left running may hold the pipe open: only what came by then is the block's. */
const DRAIN_MS = 200;

interface Ran {
  readonly exit: number;
  readonly output: Buffer;
  readonly omitted: number;
}

function runFile(file: string): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn('sh', ['-eu', file], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = Buffer.alloc(0);
    let omitted = 0;
    const keep = (chunk: Buffer): void => {
      const all = Buffer.concat([output, chunk]);
      output = all.subarray(Math.max(0, all.length - OUTPUT_BYTES_MAX));
      omitted += all.length - output.length;
    };
    for (const [from, to] of [[child.stdout, process.stdout], [child.stderr, process.stderr]] as const) {
      from.on('data', keep);
      from.pipe(to, { end: false });
    }
    const closed = new Promise<void>((done) => void child.once('close', () => done()));
    child.once('error', (error) => resolve({ exit: 127, output: Buffer.from(`sh could not be started: ${error.message}\n`), omitted: 0 }));
    child.once('exit', (code, signal) => {
      const exit = code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0);
      void Promise.race([closed, drained()]).then(() => {
        // Later output still goes to the log, no longer to this block's report.
        child.stdout.off('data', keep);
        child.stderr.off('data', keep);
        resolve({ exit, output, omitted });
      });
    });
  });
}

/** The turn of the event loop after the wait reads what came in while this process itself was kept waiting. */
async function drained(): Promise<void> {
  await sleep(DRAIN_MS);
  await new Promise((resolve) => void setImmediate(resolve));
}

async function runBlock(block: RunbookBlock, file: string, secrets: readonly string[]): Promise<BlockReport> {
  const startedMs = bootMs();
  await writeFile(file, block.text, { mode: 0o600 });
  const { exit, output, omitted } = await runFile(file);
  // The report ends up in the repository, so it is redacted here: the log's redaction never sees this copy.
  const text = redact(output.toString('utf8').replace(/^\uFFFD+/, ''), secrets);
  return { line: block.line, command: redact(block.text, secrets), exit, seconds: (bootMs() - startedMs) / 1000, output: text, omitted };
}

async function main(): Promise<number> {
  const order = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')) as RunbookOrder;
  const secrets = secretValues(process.env);
  const done: BlockReport[] = [];
  const report = (blocks: readonly BlockReport[]): Promise<void> =>
    writeWhole(`${order.scratch}/${REPORT_FILE}`, JSON.stringify({ schema: 'cambium.runbook/1', blocks }));
  await report(done);
  for (const [index, block] of order.blocks.entries()) {
    // Written before it runs, so that a block which is killed with us is named in the report.
    await report([...done, { line: block.line, command: redact(block.text, secrets), exit: null, seconds: 0, output: '', omitted: 0 }]);
    const ran = await runBlock(block, `${order.scratch}/block-${index + 1}.sh`, secrets);
    done.push(ran);
    await report(done);
    if (ran.exit !== null && ran.exit !== 0) return ran.exit;
  }
  return 0;
}

process.exit(await main());
