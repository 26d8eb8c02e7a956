/** `cambium check [files…]`: what is wrong in the files that the fleet reads, as a linter says it. */
import { join, relative } from 'node:path';
import { byPlace } from '../model/finding.ts';
import type { Finding } from '../model/finding.ts';
import { checkWorkspace } from '../workspace/check.ts';
import type { CheckReport } from '../workspace/check.ts';
import { paint } from './output.ts';
import { plain } from '../workspace/plain.ts';
import type { Answer } from './output.ts';

export async function checkCommand(paths: readonly string[], options: { readonly strict?: boolean | undefined }): Promise<Answer> {
  const cwd = process.cwd();
  const report = await checkWorkspace({ cwd, paths, strict: options.strict === true });
  const { root: _root, ...data } = report;
  return { data, text: reportText(report, cwd), exit: report.errors.length > 0 ? 1 : 0 };
}

function reportText(report: CheckReport, cwd: string): string {
  const { root, errors, warnings, skipped } = report;
  const lines = [...errors, ...warnings].toSorted(byPlace).flatMap((finding) => findingLines(finding, relative(cwd, join(root, finding.path))));
  const unread = skipped.map((path) => `${plain(path)} is nothing that the fleet reads.`);
  return [...lines, ...(lines.length > 0 ? [''] : []), ...unread, summary(report)].join('\n');
}

/** `path:line:column:` is what terminals and editors make a link of. */
function findingLines({ line, column, level, code, message, mend }: Finding, path: string): readonly string[] {
  const place = `${plain(path).replaceAll('\n', '\\n')}:${line}:${column === null ? '' : `${column}:`}`;
  const tone = level === 'error' ? paint(level, 31) : paint(level, 33);
  return [`${paint(place, 1)} ${tone}  ${plain(message)}  ${paint(code, 2)}`, `  → ${plain(mend)}`];
}

function summary({ files, errors, warnings }: CheckReport): string {
  const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`;
  if (files === 0) return 'Nothing was checked.';
  const checked = `${count(files, 'file')} checked`;
  if (errors.length + warnings.length === 0) return `${paint('✓', 32)} ${checked}, all good.`;
  const found = [...(errors.length > 0 ? [count(errors.length, 'error')] : []), ...(warnings.length > 0 ? [count(warnings.length, 'warning')] : [])];
  return `${errors.length > 0 ? paint('✗', 31) : paint('!', 33)} ${checked}: ${found.join(', ')}.`;
}
