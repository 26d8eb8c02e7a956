/** Does to the letter what an instruction of the source says, as an agent would. */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

function write(worktree, path, text) {
  mkdirSync(dirname(join(worktree, path)), { recursive: true });
  writeFileSync(join(worktree, path), text);
  return path;
}

/** The fenced blocks of a text, each with the heading above it. */
function blocks(text) {
  return [...text.matchAll(/^## (.+)\n(?:(?!^## |^```).*\n)*^```\w*\n([\s\S]*?)^```/gm)].map(([, heading, code]) => ({ heading: heading.trim(), code }));
}

/** What the instruction asks for, read from its own words. Returns the paths that were written. */
export function obey({ instruction, context, worktree }) {
  const content = /^\d+\. Content: (.+)$/m.exec(instruction)?.[1];
  const file = /^\d+\. (?:File path|Create file): (.+)$/m.exec(instruction)?.[1];
  if (file !== undefined && content !== undefined) return [write(worktree, file, content.startsWith('"') ? JSON.parse(content) : content.replace('<current-time>', new Date().toISOString()))];
  const [folder, list] = [/^\d+\. List files in (.+)$/m.exec(instruction)?.[1], /^\d+\. Save file list to (.+)$/m.exec(instruction)?.[1]];
  if (folder !== undefined && list !== undefined) return [write(worktree, list, `${readdirSync(join(worktree, folder)).toSorted().join('\n')}\n`)];
  const [first] = blocks(instruction);
  const target = context[0]?.path;
  if (/^Add this route to/m.test(instruction) && target !== undefined) {
    const before = readFileSync(join(worktree, target), 'utf8');
    return [write(worktree, target, before.replace("if __name__ == '__main__':", `${first.code}\nif __name__ == '__main__':`))];
  }
  if (/^Create test_app\.py/m.test(instruction)) return [write(worktree, join(dirname(target), 'test_app.py'), first.code)];
  const home = /All in (\S+?)\/? directory/.exec(instruction)?.[1];
  if (home !== undefined) {
    const code = new Map(blocks(instruction).map(({ heading, code: text }) => [heading.toLowerCase(), text]));
    return [write(worktree, `${home}/app.py`, code.get('flask app template')), write(worktree, `${home}/requirements.txt`, code.get('requirements.txt')), write(worktree, `${home}/README.md`, '# Flask demo\n\npip install -r requirements.txt, then python3 app.py\n')];
  }
  return null;
}
