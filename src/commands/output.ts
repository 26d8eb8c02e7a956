/** The one place that turns values and errors into text and exit codes. Standard output carries only the answer. */
import { variable } from '../adapters/system/environment.ts';
import { CambiumError, exitStatus } from '../errors.ts';

import { plain } from '../workspace/plain.ts';

export interface Answer {
  readonly data: unknown;
  /** What a person reads; `data` is what a program reads with --json. */
  readonly text: string;
  /** 0 unless said otherwise. */
  readonly exit?: number;
}

export function printAnswer({ data, text, exit = 0 }: Answer, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify({ ok: true, data })}\n` : text === '' ? '' : `${text}\n`);
  process.exitCode = exit;
}

export function printError(error: unknown, json: boolean): void {
  const known = error instanceof CambiumError ? error : internal(error);
  const { code, message, hint } = known;
  if (json) process.stdout.write(`${JSON.stringify({ ok: false, error: { code, message, ...(hint === undefined ? {} : { hint }), ...(Object.keys(known.data).length === 0 ? {} : { data: known.data }) } })}\n`);
  else process.stderr.write(plain(`cambium: ${message}\n${hint === undefined ? '' : `  → ${hint}\n`}`));
  if (code === 'internal' && !json && known.cause instanceof Error) process.stderr.write(`${known.cause.stack ?? ''}\n`);
  process.exitCode = exitStatus(code);
}

function internal(error: unknown): CambiumError {
  const cause = error instanceof Error ? error : new Error(String(error));
  if ((cause as NodeJS.ErrnoException).code === 'ENOSPC') return new CambiumError('disk-full', 'The disk is full.', { hint: 'Free some space and try again; nothing was lost.', cause });
  return new CambiumError('internal', `This is a bug: ${cause.message}`, { hint: 'Please report it with the text below.', cause });
}

const useColor = (stream: NodeJS.WriteStream): boolean => variable('NO_COLOR') === undefined && variable('TERM') !== 'dumb' && (stream.isTTY === true || variable('FORCE_COLOR') !== undefined);

export function paint(text: string, code: number, stream: NodeJS.WriteStream = process.stdout): string {
  return useColor(stream) ? `\u001b[${code}m${text}\u001b[0m` : text;
}

/** Columns as wide as their widest cell; the last is not padded. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ').trimEnd()).join('\n');
}
