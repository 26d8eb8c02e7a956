/** `git fast-import` as a test speaks to it: commits by mark, and the object ids of what it has been told so far. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { cleanEnv } from './cli.ts';
import type { Oid } from '../../src/model/ids.ts';
import type { Signature } from '../../src/model/git.ts';

export type Mark = number;

export interface ImportCommit {
  readonly ref: string;
  readonly author: Signature;
  readonly committer: Signature;
  readonly message: string;
  /** The first parent; the ref's own last commit when unsaid, none when null. */
  readonly from?: Mark | null;
  readonly merges?: readonly Mark[];
  /** Files by path: text to write, null to delete, a submodule's commit. */
  readonly files?: ReadonlyMap<string, string | null | { readonly gitlink: Oid }>;
  /** Done before `files`. */
  readonly moves?: ReadonlyMap<string, string>;
}

export interface FastImport {
  commit(draft: ImportCommit): Mark;
  /** Waits until git has taken in all that was said. */
  oids(marks: readonly Mark[]): Promise<readonly Oid[]>;
  pointRef(ref: string, mark: Mark): void;
  end(): Promise<void>;
}

const CHUNK_BYTES = 1 << 18;

export function startFastImport(gitDir: string): FastImport {
  const child = spawn('git', ['--git-dir', gitDir, 'fast-import', '--quiet', '--depth=50', '--active-branches=8'], { env: cleanEnv(), stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  // A git that died tells so by its end; what is written to it after that is lost anyway.
  child.stdin.on('error', () => undefined);
  const ended = once(child, 'close');
  let pending: string[] = [];
  let size = 0;
  let marks = 0;

  function say(text: string): void {
    pending.push(text);
    size += text.length;
    if (size > CHUNK_BYTES) flush();
  }

  function flush(): void {
    child.stdin.write(pending.join(''));
    pending = [];
    size = 0;
  }

  return {
    commit({ ref, author, committer, message, from, merges = [], files = new Map(), moves = new Map() }) {
      const mark = ++marks;
      if (from === null) say(`reset ${ref}\n\n`);
      say(`commit ${ref}\nmark :${mark}\nauthor ${signed(author)}\ncommitter ${signed(committer)}\n${data(message)}`);
      if (typeof from === 'number') say(`from :${from}\n`);
      say(merges.map((merged) => `merge :${merged}\n`).join(''));
      for (const [before, after] of moves) say(`R ${before} ${after}\n`);
      for (const [path, file] of files) {
        if (file === null) say(`D ${path}\n`);
        else if (typeof file === 'string') say(`M 100644 inline ${path}\n${data(file)}`);
        else say(`M 160000 ${file.gitlink} ${path}\n`);
      }
      say('\n');
      return mark;
    },
    async oids(wanted) {
      say(wanted.map((mark) => `get-mark :${mark}\n`).join(''));
      flush();
      const oids: Oid[] = [];
      for (let at = 0; at < wanted.length; at++) {
        const { value, done } = await answers.next();
        if (done === true) throw new Error('git fast-import ended early');
        oids.push(value as Oid);
      }
      return oids;
    },
    pointRef: (ref, mark) => say(`reset ${ref}\nfrom :${mark}\n\n`),
    async end() {
      say('done\n');
      flush();
      child.stdin.end();
      const [code] = (await ended) as [number | null];
      if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
    },
  };
}

const signed = ({ name, email, seconds, zone }: Signature): string => `${name} <${email}> ${seconds} ${zone}`;
const data = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}\n`;
