/** Questions that several agents are asked blind, on simulated nodes: what each is told, from which tree, and what lands. */
import { describe, expect, test } from 'vitest';
import { commitOn } from '../../src/act/commit.ts';
import { MAIN, createMemoryFleet } from '../support/memoryFleet.ts';
import type { MemoryFleet } from '../support/memoryFleet.ts';

const NOTE = 'memory/project/context.md';
const note = (text: string): Readonly<Record<string, string>> => ({ [NOTE]: `${text}\n` });

/** A question as `ask --blind` writes it. */
async function put(fleet: MemoryFleet, agent: string, text: string, more: Readonly<Record<string, string>> = {}): Promise<string> {
  const id = fleet.clock.ulid();
  const extra = Object.entries(more).map(([key, value]) => `${key}: "${value}"\n`).join('');
  await fleet.commit({ [`agents/${agent}/inbox/${id}.md`]: `---\nschema: cambium.message/1\nid: ${id}\nfrom: human:maria\nto: [${agent}]\n${extra}at: 2026-11-21T00:00:00Z\n---\n${text}\n` });
  return id;
}
const told = (fleet: MemoryFleet, agent: string): readonly string[] => fleet.node('one').machine.started.filter((job) => job.agent === agent).map(({ text }) => text);
const makeFleet = (): Promise<MemoryFleet> => createMemoryFleet({ provider: 'claude', nodes: { one: ['prime', 'zealot'] }, files: note('We store dates as text.'), work: ({ agent }) => ({ report: `verdict: yes\nsays ${agent}` }) });

describe('who is asked blind', () => {
  test('is shown main as it was then, and nothing of what was said before', async () => {
    const fleet = await makeFleet();
    await put(fleet, 'prime', 'A word before.');
    await fleet.node('one').rest();
    const asOf = fleet.hub.refs.get(MAIN) as string;
    await fleet.commit(note('We store dates as numbers now.'));
    await put(fleet, 'prime', 'Which index?', { group: 'g1', as_of: asOf });
    await fleet.node('one').rest();
    const [, asked = ''] = told(fleet, 'prime');
    expect(asked).toContain('Which index?');
    expect(asked).toContain('We store dates as text.');
    expect(asked).toContain('You cannot see what they say');
    expect(asked).not.toMatch(/dates as numbers|A word before|says prime|another agent's word/);
  });

  test('answers that alone, and what else came to its inbox afterwards', async () => {
    const fleet = await makeFleet();
    const asOf = fleet.hub.refs.get(MAIN) as string;
    await put(fleet, 'prime', 'First word.');
    await put(fleet, 'prime', 'Blind one?', { group: 'g1', as_of: asOf });
    await put(fleet, 'prime', 'Second word.');
    await put(fleet, 'prime', 'Blind two?', { group: 'g2', as_of: asOf });
    await fleet.node('one').rest(8);
    const heard = told(fleet, 'prime').map((text) => ['First word.', 'Second word.', 'Blind one?', 'Blind two?'].filter((part) => text.split('# What was said to you')[1]?.includes(part)));
    expect(heard).toEqual([['First word.', 'Second word.'], ['Blind one?'], ['Blind two?']]);
    expect(told(fleet, 'prime').slice(1).every((text) => !text.includes('Second word.'))).toBe(true);
  });

  test.each([
    ['no object of that name', 'b'.repeat(40)], ['no whole name', 'abcd'],
  ])('from %s is shown main as it is', async (_, asOf) => {
    const fleet = await makeFleet();
    await put(fleet, 'prime', 'Which index?', { group: 'g1', as_of: asOf });
    await fleet.node('one').rest();
    expect(told(fleet, 'prime')[0]).toContain('We store dates as text.');
  });

  test('from what is no ancestor of main is shown main as it is', async () => {
    const fleet = await makeFleet();
    const seat = await fleet.seat('aside');
    const { main } = await seat.look();
    const stray = await commitOn(seat.node, main.commit, new Map([[NOTE, 'From nowhere.\n']]), { author: { name: 'x', email: 'x@example.org', seconds: 1_795_219_200, zone: '+0000' }, message: 'stray\n' });
    await seat.node.hub.push([{ ref: 'refs/heads/stray', expect: null, to: stray }]);
    // So that it is there to begin from, were it not for its place.
    await fleet.node('one').node.hub.fetch(new Map([['refs/heads/stray', stray]]));
    await put(fleet, 'prime', 'Which index?', { group: 'g1', as_of: stray });
    await fleet.node('one').rest();
    expect(told(fleet, 'prime')[0]).not.toContain('From nowhere.');
  });
});
