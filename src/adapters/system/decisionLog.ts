/**
 * The decision log as files: `<dir>/<yyyy-mm-dd>.jsonl`, one JSON line a decision. A line is one write to a file opened
 * with O_APPEND, so that several processes of one clone may write at once, and a killed one leaves whole lines.
 */
import { closeSync, fstatSync, mkdirSync, openSync, readSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DecisionRecord } from '../../model/decision.ts';
import { DECISION_DAYS, DECISION_DAY_BYTES_MAX, DECISION_REASON_MAX } from '../../ports/decisionLog.ts';
import type { DecisionLog } from '../../ports/decisionLog.ts';
import { errnoOf } from './durable.ts';
import { redact, secretValues } from './redact.ts';

const DAY_FILE = /^(\d{4}-\d{2}-\d{2})\.jsonl$/;
const DAY_MS = 86_400_000;

/** `bytesMax` is the cap of one day. */
export function openDecisionLog(dir: string, bytesMax = DECISION_DAY_BYTES_MAX): DecisionLog {
  const secrets = secretValues(process.env);
  let swept = '';
  return {
    append(record) {
      const day = record.at.slice(0, 10);
      try {
        mkdirSync(dir, { recursive: true, mode: 0o700 });
        if (swept !== day) sweep(dir, day);
        swept = day;
        appendLine(join(dir, `${day}.jsonl`), lineOf(record, secrets), bytesMax);
      } catch (cause) {
        // The log tells and decides nothing: a node that cannot write it works on. A bug still shows itself.
        if (errnoOf(cause) === undefined) throw cause;
      }
    },
    async *read() {
      for (const name of (await dayFiles(dir)).toReversed()) yield* parseLines(await readFile(join(dir, name), 'utf8'));
    },
  };
}

/** Reasons come from task files, agents and hubs, so they are cut and masked before they are kept. */
function lineOf({ at, node, cycle, kind, task, agent, epoch, reason }: DecisionRecord, secrets: readonly string[]): string {
  return `${JSON.stringify({ at, node, cycle, kind, task, agent, epoch, reason: redact(reason, secrets).slice(0, DECISION_REASON_MAX) })}\n`;
}

function appendLine(path: string, line: string, bytesMax: number): void {
  const file = openSync(path, 'a+', 0o600);
  try {
    const { size } = fstatSync(file);
    // What a crash of the machine left of a last line must not swallow this one.
    const whole = Buffer.from(size > 0 && !endsLine(file, size) ? `\n${line}` : line);
    if (size + whole.length <= bytesMax) writeSync(file, whole);
  } finally {
    closeSync(file);
  }
}

function endsLine(file: number, size: number): boolean {
  const last = Buffer.alloc(1);
  readSync(file, last, 0, 1, size - 1);
  return last.toString('latin1') === '\n';
}

function sweep(dir: string, today: string): void {
  const oldest = new Date(Date.parse(today) - (DECISION_DAYS - 1) * DAY_MS).toISOString().slice(0, 10);
  for (const name of readdirSync(dir)) {
    const day = DAY_FILE.exec(name)?.[1];
    if (day !== undefined && day < oldest) rmSync(join(dir, name), { force: true });
  }
}

async function dayFiles(dir: string): Promise<readonly string[]> {
  const names = await readdir(dir).catch((cause: unknown) => {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw cause;
  });
  return names.filter((name) => DAY_FILE.test(name)).toSorted();
}

function parseLines(text: string): readonly DecisionRecord[] {
  return text.split('\n').flatMap((line) => parseLine(line) ?? []).toReversed();
}

function parseLine(line: string): DecisionRecord | null {
  try {
    const record = JSON.parse(line) as Partial<DecisionRecord> | null;
    return typeof record?.at === 'string' && typeof record.kind === 'string' && typeof record.reason === 'string' ? (record as DecisionRecord) : null;
  } catch {
    // The empty end of the file, or what a crash left of a line.
    return null;
  }
}
