/** The difference of two trees as people read it. Nothing that an attribute or a configuration names is run. */
import { CambiumError } from '../../errors.ts';
import { startGit } from './run.ts';

export interface DiffText {
  readonly text: string;
  /** More than `bytesMax` were there. */
  readonly cut: boolean;
}

/** Unified diff; `exclude` are globs of paths that are left out. No more than `bytesMax` are held, however long it is. Throws `git-failed`. */
export async function diffText(gitDir: string, before: string, after: string, options: { readonly exclude: readonly string[]; readonly bytesMax: number }): Promise<DiffText> {
  const child = startGit(['diff-tree', '-p', '--stat', '--no-color', '--no-ext-diff', '--no-textconv', '--no-renames', before, after, '--', '.', ...options.exclude.map((path) => `:(exclude,glob)${path}`)], { gitDir });
  child.stdin.end();
  const errors: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  const closed = new Promise<number | null>((resolve, reject) => void child.on('error', reject).on('close', resolve));
  closed.catch(() => undefined);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    // Leaving the loop closes the pipe, and git ends.
    if (bytes > options.bytesMax) break;
  }
  const code = await closed;
  if (code !== 0 && bytes <= options.bytesMax) throw new CambiumError('git-failed', `git diff-tree failed: ${Buffer.concat(errors).toString('utf8').trim()}`);
  return { text: Buffer.concat(chunks).subarray(0, options.bytesMax).toString('utf8'), cut: bytes > options.bytesMax };
}
