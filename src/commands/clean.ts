/** `cambium clean --examples`. */
import { CambiumError } from '../errors.ts';
import { cleanExamples } from '../workspace/clean.ts';
import { withSession } from '../workspace/session.ts';
import type { Answer } from './output.ts';

export function cleanCommand(options: { readonly examples?: boolean | undefined }): Promise<Answer> {
  if (options.examples !== true) throw new CambiumError('usage', 'Clean what?', { hint: 'cambium clean --examples removes the example tasks that come with cambium.' });
  return withSession({ needsHub: true }, async (session) => {
    const cleaned = await cleanExamples(session);
    const { removed, left } = cleaned;
    const text = [
      removed.length === 0 ? 'There was nothing to remove.' : `Removed ${removed.length} file${removed.length === 1 ? '' : 's'}: ${removed.join(', ')}`,
      ...left.map(({ path, reason }) => `${path} is left: ${reason}`),
    ].join('\n');
    return { data: cleaned, text };
  });
}
