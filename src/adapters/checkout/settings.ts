/** The few git settings that decide how a blob looks in the work tree. Read once, and again when a config file changes. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseLeftOut } from '../git/sparse.ts';
import type { LeftOut } from '../git/sparse.ts';
import { fieldsOf, treeGit } from './site.ts';
import type { Site } from './site.ts';
import { isGone, stampOf, statOf } from './stamp.ts';

export interface Settings {
  /** False: the executable bit on disk means nothing, the entry's mode stays. */
  readonly fileMode: boolean;
  /** False: symlinks stand in the work tree as files that hold their text. */
  readonly symlinks: boolean;
  /** `core.autocrlf` is true or input: line endings are converted where no attribute speaks of them. */
  readonly autocrlf: boolean;
  /** Parts of the tree are absent from the work tree on purpose. */
  readonly sparse: boolean;
  /** What the patterns of a sparse checkout leave out as whole folders; nothing where it is not sparse. */
  readonly leftOut: LeftOut;
  /** An attributes file outside the work tree exists. */
  readonly outerAttributes: boolean;
}

export type ReadSettings = () => Promise<Settings>;

/** Reads the settings; an unchanged configuration costs a few stats and no process. */
export function settingsReader(site: Site): ReadSettings {
  let cached: { readonly signature: string; readonly origins: readonly string[]; readonly settings: Settings } | null = null;
  return async () => {
    if (cached !== null && cached.signature === signatureOf(cached.origins)) return cached.settings;
    const { values, origins } = await configOf(site);
    const settings = settingsOf(site, values);
    const watched = [...new Set([...origins, ...configFiles(site), ...attributeFiles(site, values), patternFile(site)])];
    cached = { signature: signatureOf(watched), origins: watched, settings };
    return settings;
  };
}

const NOTHING_LEFT_OUT: LeftOut = { folders: [], nothingElse: true };
const patternFile = (site: Site): string => join(site.gitDir, 'info', 'sparse-checkout');

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isGone(error)) return '';
    throw error;
  }
}

function configFiles(site: Site): string[] {
  const home = homedir();
  return [
    join(site.commonDir, 'config'), join(site.gitDir, 'config.worktree'), process.env['GIT_CONFIG_GLOBAL'] ?? join(home, '.gitconfig'),
    join(process.env['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'git', 'config'), '/etc/gitconfig',
  ];
}

function attributeFiles(site: Site, values: ReadonlyMap<string, string>): string[] {
  const home = homedir();
  const named = values.get('core.attributesfile') ?? join(process.env['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'git', 'attributes');
  return [join(site.commonDir, 'info', 'attributes'), named.replace(/^~(?=\/)/, home), '/etc/gitattributes'];
}

function signatureOf(files: readonly string[]): string {
  return files.map((file) => {
    const stat = statOf(file);
    return stat === null ? '-' : stampOf(stat);
  }).join(' ');
}

async function configOf(site: Site): Promise<{ values: Map<string, string>; origins: string[] }> {
  const fields = fieldsOf((await treeGit(site, ['config', '--list', '--show-origin', '-z'])).stdout);
  const values = new Map<string, string>();
  const origins = new Set<string>();
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const origin = fields[at] ?? '';
    const [key = '', ...rest] = (fields[at + 1] ?? '').split('\n');
    // A key without a value is git's way to say true.
    values.set(key, rest.length === 0 ? 'true' : rest.join('\n'));
    if (origin.startsWith('file:/')) origins.add(origin.slice('file:'.length));
  }
  return { values, origins: [...origins] };
}

function settingsOf(site: Site, values: ReadonlyMap<string, string>): Settings {
  const flag = (key: string, otherwise: boolean): boolean => {
    const value = values.get(key)?.toLowerCase();
    return value === undefined ? otherwise : !['false', 'no', 'off', '0', ''].includes(value);
  };
  const sparse = flag('core.sparsecheckout', false);
  return {
    fileMode: flag('core.filemode', true),
    symlinks: flag('core.symlinks', true),
    autocrlf: flag('core.autocrlf', false),
    sparse,
    leftOut: sparse ? parseLeftOut(textOf(patternFile(site))) : NOTHING_LEFT_OUT,
    outerAttributes: attributeFiles(site, values).some((file) => existsSync(file)),
  };
}
