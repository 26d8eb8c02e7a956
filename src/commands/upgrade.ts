/** `cambium upgrade`. */
import { withSession } from '../workspace/session.ts';
import { upgradeWorkspace } from '../workspace/upgrade.ts';
import type { UpgradeOptions } from '../workspace/upgrade.ts';
import type { UpgradeReport } from '../workspace/upgradeReport.ts';
import { plain } from '../workspace/plain.ts';
import type { Answer } from './output.ts';

export function upgradeCommand(options: UpgradeOptions): Promise<Answer> {
  return withSession({ needsHub: true }, async (session) => {
    const report = await upgradeWorkspace(session, options);
    return { data: report, text: plain(describe(report, options.check === true)), exit: report.conflicts.length + report.uncommitted.length > 0 ? 1 : 0 };
  });
}

const PATHS_SHOWN = 20;

function describe(report: UpgradeReport, check: boolean): string {
  const { changed, merged, kept, conflicts, uncommitted } = report;
  return [
    headline(report, check),
    ...listed('Merged with edits of yours:', merged), ...listed(check ? 'Would change:' : 'Changed:', changed.filter((path) => !merged.includes(path))),
    ...(kept.length === 0 ? [] : ['Left as they are:', ...kept.map(({ path, reason }) => `  ${path}: ${reason}`)]),
    ...listed('Changed here and there, in conflict; `--keep <path>` keeps yours:', conflicts),
    ...listed('Edited in your checkout without a commit; commit them first:', uncommitted),
    ...(report.commit === null ? [] : next(report)),
  ].join('\n');
}

function headline({ mode, from, to, commit, changed, conflicts, uncommitted }: UpgradeReport, check: boolean): string {
  const files = `${changed.length} file${changed.length === 1 ? '' : 's'}`;
  if (commit !== null) return mode === 'code' ? `cambium ${from} is upgraded to ${to} on main: ${files}.` : `The shipped files are those of cambium ${to} now: ${files}.`;
  if (conflicts.length + uncommitted.length > 0) return `The upgrade from ${from} to ${to} would be refused.`;
  if (check && changed.length > 0) return `An upgrade to ${to} would change ${files}. Nothing was changed.`;
  return mode === 'code' ? `There is nothing newer: this is cambium ${from}.` : `The shipped files are up to date with cambium ${to}.`;
}

function listed(title: string, paths: readonly string[]): readonly string[] {
  if (paths.length === 0) return [];
  const more = paths.length - PATHS_SHOWN;
  return [title, ...paths.slice(0, PATHS_SHOWN).map((path) => `  ${path}`), ...(more > 0 ? [`  and ${more} more`] : [])];
}

/** What came over the network is not run by this command: the person starts it. */
function next({ mode, daemon }: UpgradeReport): readonly string[] {
  if (mode === 'files') return [];
  const restart = daemon ? ['The daemon of this clone goes on with the code it was started with. To take the new code, stop it, then:'] : ['To build the new code:'];
  return ['', ...restart, '  npm ci', ...(daemon ? ['  npm start'] : []), 'Other clones get it with their next pass, and need the same there.'];
}
