/** A fleet with nothing to do costs nothing: no provider is started, nothing is pushed but signs of life. */
import { expect, test } from 'vitest';
import { MAIN, createMemoryFleet, task } from '../support/memoryFleet.ts';

test('eight agents on two nodes idle for an hour: no provider is started, and nothing is committed', async () => {
  const agents = (node: string): readonly string[] => [1, 2, 3, 4].map((n) => `${node}${n}`);
  const fleet = await createMemoryFleet({
    nodes: { 'vm-a': agents('ann'), 'vm-b': agents('bob') }, provider: 'claude', agent: 'fallback: [codex]', config: 'limits: { agents_per_node: 8, quiet_hours: "12:00-13:00" }\n',
    // What waits for somebody is nothing to do either.
    files: { 'tasks/later.md': task({ not_before: '2030-01-01' }), 'tasks/other.md': task({ requires: '[a-thing-nobody-has]' }), 'tasks/blocked.md': task({ depends_on: '[later]' }) },
  });
  const nodes = ['vm-a', 'vm-b'].map((name) => fleet.node(name));
  for (const node of nodes) await node.rest();
  const [main, beats] = [fleet.hub.refs.get(MAIN), fleet.hub.moves.length];
  for (let ms = 0; ms < 3_600_000; ms += 10_000) {
    await fleet.clock.advance(10_000);
    for (const node of nodes) await node.pass({ fullScan: ms % 30_000 === 0 });
  }
  expect(nodes.flatMap(({ machine }) => machine.started)).toEqual([]);
  expect(fleet.hub.refs.get(MAIN)).toBe(main);
  expect([...new Set(fleet.hub.moves.slice(beats).map(({ ref }) => ref))].toSorted()).toEqual(['refs/cambium/nodes/vm-a', 'refs/cambium/nodes/vm-b']);
});
