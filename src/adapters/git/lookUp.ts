/** Several objects of a clone by name (`refs/hub/heads/main:cambium.yaml`) in one git process, without a network: for hooks. */
import { execFileSync } from 'node:child_process';

export interface FoundObject {
  readonly oid: string;
  readonly type: string;
  readonly bytes: Buffer;
}

const BYTES_MAX = 64 * 1024 * 1024;
const PATIENCE_MS = 8_000;

/** Null for each that is not there. Throws where git does not answer. */
export function lookUp(gitDir: string, names: readonly string[]): readonly (FoundObject | null)[] {
  // A name with a line break would be two questions.
  const asked = names.filter((name) => !/[\n\0]/.test(name));
  if (asked.length === 0) return names.map(() => null);
  const answers = parseAnswers(runGit(gitDir, ['cat-file', '--batch'], `${asked.join('\n')}\n`), asked.length);
  return names.map((name) => answers[asked.indexOf(name)] ?? null);
}

/** Every ref below a prefix, with what it points at. */
export function listRefs(gitDir: string, prefix: string): ReadonlyMap<string, string> {
  const lines = runGit(gitDir, ['for-each-ref', '--format=%(objectname) %(refname)', prefix], '').toString('utf8').split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => [line.slice(line.indexOf(' ') + 1), line.slice(0, line.indexOf(' '))]));
}

function runGit(gitDir: string, args: readonly string[], input: string): Buffer {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_'));
  return execFileSync('git', ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '--git-dir', gitDir, ...args], {
    input, maxBuffer: BYTES_MAX, timeout: PATIENCE_MS, stdio: ['pipe', 'pipe', 'ignore'], env: { ...Object.fromEntries(kept), GIT_NO_LAZY_FETCH: '1', GIT_OPTIONAL_LOCKS: '0', LC_ALL: 'C' },
  });
}

/** `<oid> <type> <size>`, the bytes and a line break; or `<name> missing`. */
function parseAnswers(out: Buffer, count: number): readonly (FoundObject | null)[] {
  const answers: (FoundObject | null)[] = [];
  for (let at = 0; answers.length < count && at < out.length; ) {
    const end = out.indexOf(10, at);
    const head = /^([0-9a-f]{40,64}) (blob|tree|commit|tag) (\d+)$/.exec(out.toString('latin1', at, end));
    const size = Number(head?.[3] ?? -1);
    answers.push(head === null ? null : { oid: head[1] as string, type: head[2] as string, bytes: out.subarray(end + 1, end + 1 + size) });
    at = end + 2 + size;
  }
  return answers;
}

/** Names of the plain files in the bytes of a tree. */
export function fileNames(tree: FoundObject | null): readonly string[] {
  if (tree === null || tree.type !== 'tree') return [];
  const names: string[] = [];
  for (let at = 0; at < tree.bytes.length; ) {
    const end = tree.bytes.indexOf(0, at);
    const [mode = '', ...name] = tree.bytes.toString('utf8', at, end).split(' ');
    if (mode.startsWith('100')) names.push(name.join(' '));
    at = end + 1 + tree.oid.length / 2;
  }
  return names;
}
