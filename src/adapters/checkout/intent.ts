/**
 * The intent record `<git dir>/cambium/checkout-intent.json`: what a pass is about to do, durable before it does it.
 * While it stands, a pass is running or a crash is to be recovered. Its steps are small enough to be judged from the
 * files alone, so no progress is recorded: whether a step was done is seen (`exchange.ts`).
 */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { CambiumError } from '../../errors.ts';
import type { Oid } from '../../model/ids.ts';
import type { ProcessIdentity } from '../../ports/process.ts';
import { writeWhole } from '../system/durable.ts';
import { syncPath } from './durable.ts';
import type { Pass } from './pass.ts';
import { ownFolder } from './site.ts';
import type { Site } from './site.ts';
import { isGone } from './stamp.ts';

export interface Step {
  readonly path: string;
  /** Name of the displaced file in the pass's folder. */
  readonly slot: number;
  /** Raw oid of what stands there and is expected; null when nothing does. */
  readonly old: Oid | null;
  /** Raw oid of the file to put there; null when there shall be none. */
  readonly next: Oid | null;
  /** A gitlink: an empty folder shall stand there, as git leaves it. */
  readonly folder: boolean;
}

export interface Intent {
  readonly schema: 'cambium.checkout-intent/1';
  readonly pass: Pass;
  readonly owner: ProcessIdentity;
  readonly branch: string;
  readonly head: Oid;
  readonly target: Oid;
  readonly startedBootMs: number;
  readonly steps: readonly Step[];
}

export const intentPath = (site: Pick<Site, 'gitDir'>): string => join(ownFolder(site), 'checkout-intent.json');
export const hasIntent = (site: Site): boolean => existsSync(intentPath(site));
export const readIntent = (site: Site): Intent | null => read(intentPath(site));
/** The record of a pass that has ended, kept while files it displaced are. */
export const readRecord = (pass: Pass): Intent | null => read(join(pass.folder, 'record.json'));

/** Durable when it resolves. Written in the pass's folder first: what a crash leaves of it is cleared away with that. */
export async function writeIntent(site: Site, intent: Intent): Promise<void> {
  const beside = join(intent.pass.folder, 'intent.json');
  await writeWhole(beside, JSON.stringify(intent));
  renameSync(beside, intentPath(site));
  syncPath(ownFolder(site));
}

/** The intent becomes the pass's record in one rename: there is never both, nor neither. */
export function settleIntent(site: Site, pass: Pass): void {
  renameSync(intentPath(site), join(pass.folder, 'record.json'));
  syncPath(ownFolder(site));
}

function read(path: string): Intent | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
  try {
    return JSON.parse(text) as Intent;
  } catch (cause) {
    throw new CambiumError('bad-file', `${path} cannot be read.`, { hint: 'It is the record of an unfinished pass over your checkout: look at the folder `passes` beside it, then delete it.', cause });
  }
}
