/** `cambium task archive`. */
import { archiveTasks } from '../workspace/archive.ts';
import type { ArchiveReport } from '../workspace/archive.ts';
import { withSession } from '../workspace/session.ts';
import type { Answer } from './output.ts';

export function archiveCommand(ids: readonly string[], options: { readonly allEnded?: boolean | undefined }): Promise<Answer> {
  return withSession({ needsHub: true }, async (session) => {
    const report = await archiveTasks(session, { ids, allEnded: options.allEnded === true });
    return { data: report, text: textOf(report) };
  });
}

function textOf({ archived, collected, waiting }: ArchiveReport): string {
  const moved = archived.length === 0 ? 'Nothing was to be archived.' : `${archived.length} task${archived.length === 1 ? ' is' : 's are'} in tasks/archive now: ${archived.slice(0, 10).join(', ')}${archived.length > 10 ? ` and ${archived.length - 10} more` : ''}`;
  return [
    moved,
    ...(collected === 0 ? [] : [`${collected} ref${collected === 1 ? '' : 's'} went from the hub into its archive.`]),
    ...(waiting === 0 ? [] : [`${waiting} ref${waiting === 1 ? ' stays' : 's stay'} a while longer: ${waiting === 1 ? 'its task has' : 'their tasks have'} just ended.`]),
  ].join('\n');
}
