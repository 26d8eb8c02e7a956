/**
 * The hub of a clone that has joined no remote: a bare repository of its own inside the clone's git directory
 * (PROTOCOL P10). `.cambium/` would be wrong for it: that may be deleted at any time.
 */
import { existsSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { git, gitText } from './run.ts';
import { errnoOf, syncFolder } from '../system/durable.ts';

const NAME = 'hub.git';
const UNFINISHED = 'hub.new-';

/**
 * Refs under refs/cambium/ must be free to be swapped and deleted by lease, and a review branch to be replaced, so
 * nothing here forbids either: both are said outright, since a person's own git configuration may forbid them.
 * Reflogs of all refs, kept for ever, are what an audit reads; nothing is ever collected behind our back.
 */
const SETTINGS = `[core]
	logAllRefUpdates = always
	fsync = all
[transfer]
	fsckObjects = true
[receive]
	shallowUpdate = true
	autogc = false
	advertiseAtomic = true
	denyDeletes = false
	denyNonFastForwards = false
[gc]
	auto = 0
	reflogExpire = never
	reflogExpireUnreachable = never
[maintenance]
	auto = false
`;

/**
 * Path of the embedded hub of the clone with this common git directory; made where it is missing, in the clone's
 * object format. May run in several processes at once and be cut short anywhere: a half-made hub never has the name.
 */
export async function ensureEmbeddedHub(gitCommonDir: string, branch = 'main'): Promise<string> {
  const folder = join(gitCommonDir, 'cambium');
  const path = join(folder, NAME);
  if (!existsSync(path)) await makeHub(gitCommonDir, folder, path, branch);
  await sweep(folder);
  return path;
}

async function makeHub(gitCommonDir: string, folder: string, path: string, branch: string): Promise<void> {
  const format = await gitText(['rev-parse', '--show-object-format'], { gitDir: gitCommonDir });
  await mkdir(folder, { recursive: true });
  const unfinished = await mkdtemp(join(folder, UNFINISHED));
  try {
    await git(['init', '--quiet', '--bare', '--template=', `--object-format=${format}`, `--initial-branch=${branch}`, unfinished]);
    await appendFile(join(unfinished, 'config'), SETTINGS);
    await syncAll(unfinished);
    await rename(unfinished, path);
  } catch (cause) {
    // Another process was faster: its hub is as good, and it may have swept ours away at any of these steps.
    if (!existsSync(path)) throw cause;
    return;
  }
  await syncFolder(folder);
  await syncFolder(gitCommonDir);
}

/** A rename may survive a power cut that the renamed files do not, unless they are on the disk before it. */
async function syncAll(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await syncAll(path);
    else await syncFile(path);
  }
  await syncFolder(folder);
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Once the hub stands, what crashed or slower attempts left is nobody's. */
async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(UNFINISHED)) continue;
    await rm(join(folder, name), { recursive: true, force: true }).catch((cause: unknown) => {
      // Its owner may be removing or filling it at this moment; the next call sees to it.
      if (errnoOf(cause) !== 'ENOTEMPTY') throw cause;
    });
  }
}
