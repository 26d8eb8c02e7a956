import { expect, test } from 'vitest';
import { isId } from '../../src/model/ids.ts';
import { checkTaskPath, duplicateStems } from '../../src/observe/names.ts';
import { NAMES } from '../hostile/corpus.ts';

test('a symlink and a submodule below tasks are set aside under any name', () => {
  for (const path of ['tasks/x.md', 'tasks/notes', 'tasks/web/x.result.md', 'tasks/README.md']) {
    expect(checkTaskPath({ path, mode: '120000' })?.reason).toContain('symbolic link');
    expect(checkTaskPath({ path, mode: '160000' })?.reason).toContain('submodule');
    expect(checkTaskPath({ path, mode: '100755' })).toBeNull();
  }
});

test('every proposed name is itself accepted', () => {
  for (const [path, verdict] of NAMES) {
    if (verdict !== 'bad') continue;
    const proposed = /to ([^. ]+)\.(?:md|result\.md|claim\.json)\.$/.exec(checkTaskPath({ path, mode: '100644' })?.mend ?? '')?.[1];
    if (proposed !== undefined) expect(isId(proposed), path).toBe(true);
  }
});

test('one stem in two folders sets both aside, each naming the other', () => {
  const faults = duplicateStems(['tasks/x.md', 'tasks/web/x.md', 'tasks/y.md', 'tasks/x.result.md', 'tasks/x.claim.json']);
  expect(faults.map(({ path, reason }) => [path, reason])).toEqual([
    ['tasks/x.md', 'The id x is also used by tasks/web/x.md.'],
    ['tasks/web/x.md', 'The id x is also used by tasks/x.md.'],
  ]);
});

test('a result may stand beside its instruction file, and two results of one task are both set aside', () => {
  expect(duplicateStems(['tasks/web/x.md', 'tasks/web/x.result.md'])).toEqual([]);
  expect(duplicateStems(['tasks/x.result.md', 'tasks/web/x.result.md']).length).toBe(2);
});
