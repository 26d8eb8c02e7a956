/** Whether a pass over the checkout was cut short, asked without recovering it: for who must change nothing. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { intentPath } from './intent.ts';
import type { Site } from './site.ts';

export function hasUnfinishedPass({ gitDir }: Pick<Site, 'gitDir'>): boolean {
  return existsSync(intentPath({ gitDir })) || existsSync(join(gitDir, 'index.lock'));
}
