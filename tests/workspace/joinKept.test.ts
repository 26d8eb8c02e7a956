/** A workspace that joins an empty remote takes everything along that its embedded hub holds, not the claims alone. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cli } from '../support/cli.ts';
import { gitIn, makeBareHub, refsOf, tempDir } from '../support/repo.ts';
import { makeWorkspace } from '../support/workspace.ts';

test('work that waits for review and work that was kept come along, and the review goes on there', async () => {
  const [place, temp] = [await makeWorkspace({ 'tasks/a.md': '---\nreview: human\n---\n# Do it\n', 'tasks/b.md': '# Another\n' }), tempDir('join-kept')];
  try {
    const workspace = await place.open();
    const claim = await workspace.claimTask('worker-1', 'a');
    gitIn(claim?.worktree ?? '', ['commit', '--quiet', '--allow-empty', '-m', 'mine']);
    const { commit } = await workspace.completeTask('a', 'worker-1', { epoch: 1 });
    const other = await workspace.claimTask('worker-1', 'b');
    place.write({ [`${(other?.worktree ?? '').slice(place.root.length + 1)}/half.txt`]: 'half\n' });
    await workspace.failTask('b', 'worker-1', { epoch: 1, reason: 'no paper' });
    const hub = makeBareHub(join(temp.path, 'hub.git'));
    const joined = await cli(['join', hub, '--node', 'vm'], { cwd: place.root });
    expect(joined).toMatchObject({ exit: 0, stderr: '' });
    const refs = refsOf(hub);
    expect([refs.get('refs/heads/review/a'), refs.get('refs/cambium/review/a/1')]).toEqual([commit, commit]);
    expect(gitIn(hub, ['cat-file', 'blob', 'refs/cambium/wip/b/1:half.txt'])).toBe('half');
    const told = await cli(['task', 'approve', 'a', '--commit', commit], { cwd: place.root });
    expect(told).toMatchObject({ exit: 0, stderr: '' });
    expect((await cli(['cycle'], { cwd: place.root })).exit).toBe(0);
    expect(gitIn(hub, ['cat-file', 'blob', 'main:tasks/a.result.md'])).toContain('outcome: done');
    expect(refsOf(hub).has('refs/heads/review/a')).toBe(false);
  } finally {
    await place.remove();
    temp.remove();
  }
});
