/** Judgement by others, with real processes: reviewers that judge from their spawn, and questions to several agents at once. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseMessage } from '../../src/observe/messageFile.ts';
import type { Message } from '../../src/model/talk.ts';
import { cli, startCli } from '../support/cli.ts';
import type { Reply } from '../support/cli.ts';
import { config, makeFleet } from '../support/fleet.ts';
import type { TestFleet } from '../support/fleet.ts';
import { tempDir } from '../support/temp.ts';

/**
 * One script is all agents. What each was told is kept in `$KEEP/<agent>.<spawn>.prompt`, an agent that is to wait does so until
 * `$KEEP/go-<agent>` is there, and `cambium` is whatever its PATH leads to.
 */
const AGENT = `set -eu
told="$KEEP/$CAMBIUM_AGENT.$CAMBIUM_SPAWN.prompt"
cat > "$told"
report() { printf -- '---\\noutcome: done\\n---\\n%s\\n' "$1" > "$CAMBIUM_RESULT_FILE"; }
await() { until [ -e "$KEEP/go-$CAMBIUM_AGENT" ]; do sleep 0.1; done; }
case "$CAMBIUM_AGENT" in
  ann)
    if grep -q 'the empty name is not handled' "$told"; then echo mended > "$CAMBIUM_TASK.txt"; else echo first > "$CAMBIUM_TASK.txt"; fi
    report 'It is written.' ;;
  rita | abe)
    # What was asked before stands before it.
    line=$(grep -o 'cambium task approve [a-z]* --commit [0-9a-f]*' "$told" | tail -n 1)
    task=$(echo "$line" | cut -d ' ' -f 4)
    commit=$(echo "$line" | cut -d ' ' -f 6)
    if [ "$task" = strict ] && [ "$(git show "$commit:strict.txt")" = first ]; then
      cambium task reject "$task" --commit "$commit" --why 'the empty name is not handled'
    else
      cambium task approve "$task" --commit "$commit" --why "read it"
    fi
    report 'I looked.' ;;
  one) report 'verdict: yes
HUSH-ONE: the date is read most, as @two will find.' ;;
  two) report '**Verdict:** no | never
HUSH-TWO: it is written more
than read.' ;;
  spy)
    await
    { git ls-files | sed 's/^/file /'; grep -rl HUSH . || true; find . -path '*inbox*' | sed 's/^/found /'
      for other in one two; do cambium channel read "@$other" || true; cambium message list --inbox "$other" || true; done; } > "$KEEP/spied" 2>&1
    report 'verdict: unsure
I could ask nobody.' ;;
  slow) await; report 'At last.' ;;
  mute) echo 'no model here' >&2; exit 1 ;;
esac
`;

const keep = tempDir('judgement');
const kept = (name: string): string => join(keep.path, name);
const go = (agent: string): void => writeFileSync(kept(`go-${agent}`), '');
/** What an agent was told, each time it was started, oldest first. */
const prompts = (agent: string): readonly string[] => readdirSync(keep.path).filter((name) => name.startsWith(`${agent}.`)).toSorted().map((name) => readFileSync(kept(name), 'utf8'));

let fleet: TestFleet;

beforeAll(async () => {
  writeFileSync(kept('agent.sh'), AGENT);
  const provider = `{ command: [sh, ${JSON.stringify(kept('agent.sh'))}], env: { KEEP: ${JSON.stringify(keep.path)} } }`;
  const agents = [
    'ann: { role: worker, provider: mill }', 'abe: { role: reviewer, provider: mill }', 'rita: { role: reviewer, provider: loom }', 'shell: { role: runner }',
    'one: { role: sage, provider: mill, model: mill-9 }', 'two: { role: sage, provider: loom }', 'spy: { role: sage, provider: loom }', 'slow: { role: idler, provider: mill }', 'mute: { role: idler, provider: mill }',
  ].join('\n  ');
  fleet = await makeFleet({ config: `${config(undefined, agents)}providers:\n  mill: ${provider}\n  loom: ${provider}\n` });
  fleet.home.up();
}, 120_000);

afterAll(async () => {
  await fleet.close();
  keep.remove();
});

const drop = (id: string, review: string): string => fleet.push({ [`tasks/${id}.md`]: `---\ntitle: Write ${id}\nassigned_to: ann\nreview: ${review}\n---\nWrite ${id}.txt.\n` });
const landed = (id: string): Promise<string> => fleet.until(`${id} has landed`, () => fleet.onMain(`tasks/${id}.result.md`), 90_000);
const kinds = (id: string): readonly string[] => fleet.chain(id).map(({ kind }) => kind);

describe('finished work', () => {
  test('lands when its reviewer approves it from its spawn', async () => {
    drop('plain', 'rita');
    await landed('plain');
    expect(fleet.onMain('plain.txt')).toBe('first');
    expect(kinds('plain')).toEqual(['claim', 'review', 'approve', 'claim', 'done']);
    expect(fleet.chain('plain').find(({ kind }) => kind === 'approve')).toMatchObject({ by: 'rita', reason: 'read it' });
  });

  test('that is rejected with a reason is done again with that reason, and lands the second time', async () => {
    drop('strict', '{ agent: rita }');
    await landed('strict');
    expect(fleet.onMain('strict.txt')).toBe('mended');
    expect(kinds('strict').filter((kind) => ['review', 'release', 'approve', 'done'].includes(kind))).toEqual(['review', 'release', 'review', 'approve', 'done']);
    const [first, second, ...more] = prompts('ann').filter((told) => told.includes('(`strict`)'));
    expect([first?.includes('the empty name'), second?.includes('the empty name is not handled'), more]).toEqual([false, true, []]);
  });

  test('is judged by an agent of another model family where that is asked', async () => {
    drop('apart', '{ different_provider: true }');
    await landed('apart');
    expect(fleet.chain('apart').find(({ kind }) => kind === 'approve')).toMatchObject({ by: 'rita' });
    // Of the same family as ann, and before rita in every order.
    expect(prompts('abe')).toEqual([]);
  });
});

interface Told {
  readonly group: string | null;
  readonly as_of: string | null;
  readonly messages: readonly { readonly agent: string; readonly id: string; readonly place: string }[];
  readonly answers: readonly { readonly agent: string; readonly state: string; readonly provider: string | null; readonly model: string | null; readonly verdict: string | null; readonly reason: string; readonly message: string | null }[];
  readonly waiting: readonly string[];
  readonly posted: string | null;
}

const said = (folder: string): readonly Message[] => fleet.gitHub('ls-tree', '--name-only', `main:${folder}`).split('\n').filter((name) => name !== '').map((name) => {
  const path = `${folder}/${name}`;
  const message = parseMessage({ path, bytes: Buffer.from(fleet.onMain(path) ?? '') });
  if ('reason' in message) throw new Error(message.reason);
  return message;
});
const asks = (...words: readonly string[]): Promise<Reply<Told>> => fleet.home.json<Told>(['ask', ...words]);
const answerOf = (agent: string): string | null => (existsFolder(`agents/${agent}/inbox`) ? (said(`agents/${agent}/inbox`).find(({ from }) => from === `agent:${agent}`)?.text ?? null) : null);
const existsFolder = (folder: string): boolean => fleet.gitHub('ls-tree', 'main', `${folder}/`) !== '';

describe('a question that several are asked blind', () => {
  test('is answered by each without a sight of the others, and then all stand side by side', async () => {
    const before = fleet.gitHub('rev-parse', 'main');
    const asking = startCli(['ask', '--blind', '@one', '@two', '@spy', 'Which index', 'do we need?', '--channel', 'verdicts', '--wait', '3m', '--json'], { cwd: fleet.home.path });
    await fleet.until('the two have answered', () => answerOf('one') !== null && answerOf('two') !== null, 90_000);
    await fleet.until('the spy is at work', () => prompts('spy').length > 0);
    // It looks while both answers are on main, and in this clone.
    await fleet.until('they are here', () => fleet.home.git('rev-parse', 'refs/hub/heads/main') === fleet.gitHub('rev-parse', 'main'));
    go('spy');
    const { exit, stdout } = await asking.ended;
    const { data } = JSON.parse(stdout) as { readonly data: Told };
    expect(exit).toBe(0);
    expect(data).toMatchObject({ as_of: before, waiting: [] });
    expect(data.answers).toMatchObject([
      { agent: 'one', state: 'answered', provider: 'mill', model: 'mill-9', verdict: 'yes', reason: 'HUSH-ONE: the date is read most, as @two will find.' },
      { agent: 'two', state: 'answered', provider: 'loom', model: null, verdict: 'no | never', reason: 'HUSH-TWO: it is written more\nthan read.' },
      { agent: 'spy', state: 'answered', provider: 'loom', verdict: 'unsure', reason: 'I could ask nobody.' },
    ]);

    const spied = readFileSync(kept('spied'), 'utf8');
    expect(spied).toContain('file tasks/');
    expect(spied).toContain('Which index do we need?');
    expect(spied).not.toMatch(/HUSH|(?:file|found) .*agents\/(?:one|two|spy)\b/);
    const [told = ''] = prompts('spy');
    for (const part of ['Which index do we need?', 'verdict: …', 'You cannot see what they say']) expect(told).toContain(part);
    expect(told).not.toMatch(/HUSH|What was said before/);
    for (const agent of ['one', 'two', 'spy']) expect(said(`agents/${agent}/inbox`)[0]).toMatchObject({ group: data.group, asOf: before, to: [agent], from: 'human:person-home' });
  });

  test('is posted as one message, which wakes nobody that it names', async () => {
    const [posted, ...more] = said('agents/channels/verdicts');
    expect(more).toEqual([]);
    expect(posted).toMatchObject({ from: 'human:person-home', mentions: [] });
    expect(posted?.text).toContain('| one | mill/mill-9 | yes | HUSH-ONE: the date is read most, as two will find. |\n| two | loom | no \\| never | HUSH-TWO: it is written more than read. |');
    const started = prompts('two').length;
    expect((await fleet.home.json(['channel', 'list'])).data).toMatchObject({ channels: expect.arrayContaining([expect.objectContaining({ name: '#verdicts', waiting: [], awake: [] })]) });
    expect(prompts('two').length).toBe(started);
  });

  test('is open to who was asked, once all are in', async () => {
    const read = await cli(['channel', 'read', '@one'], { cwd: fleet.home.path, env: { CAMBIUM_AGENT: 'spy' } });
    expect(read.stdout).toContain('HUSH-ONE');
  });

  test('and whoever has not answered in time is named; who cannot answer says why', async () => {
    const late = await asks('--blind', '@slow', '@mute', 'Well?', '--wait', '100ms');
    expect(late).toMatchObject({ exit: 75, data: { waiting: expect.arrayContaining(['slow']) } });
    const { stdout, exit } = await fleet.home.cambium(['ask', '--blind', '@slow', 'And now?', '--wait', '0s']);
    expect([exit, stdout]).toEqual([75, expect.stringMatching(/^agent +model +verdict +reason\nslow +– +waiting +.*\nNo answer after 0s from slow\.\nWhat they say then: `cambium channel read @slow`\n$/)]);
    go('slow');
    const mute = await asks('--blind', '@mute', 'Hm?');
    expect(mute).toMatchObject({ exit: 1, data: { answers: [{ agent: 'mute', state: 'failed', verdict: null, reason: expect.stringContaining('mute could not answer') }], waiting: [] } });
    await fleet.until('slow has answered both, each by itself', () => said('agents/slow/inbox').filter(({ answers }) => answers.length === 1).length === 2, 90_000);
  });
});

describe('a question', () => {
  test('in a channel is one message that calls all, and is waited for likewise', async () => {
    const { exit, data } = await asks('@one', '@two', 'Is it ready?', '--channel', 'design');
    expect(exit).toBe(0);
    expect(data).toMatchObject({ group: null, as_of: null, answers: [{ agent: 'one', verdict: 'yes' }, { agent: 'two', verdict: 'no | never' }] });
    expect(new Set(data.messages.map(({ id }) => id)).size).toBe(1);
    const [asked, ...answers] = said('agents/channels/design');
    expect(asked).toMatchObject({ mentions: ['one', 'two'], from: 'human:person-home' });
    expect(answers.map(({ from }) => from).toSorted()).toEqual(['agent:one', 'agent:two']);
  });

  test('of a role goes to those of it that answer', async () => {
    const { data } = await asks('--blind', '@role:idler', 'Who are you?', '--wait', '0s');
    expect(data.messages.map(({ agent }) => agent)).toEqual(['slow', 'mute']);
  });

  test.each([
    [['@one', '@nobody', 'Well?'], 2, 'There is no agent nobody'],
    [['--blind', '@one', '@shell', 'Well?'], 1, 'shell runs runbooks only'],
    [['@one'], 2, 'The question is empty'],
    [['Well?'], 2, 'Who is asked?'],
    [['@role:runner', 'Well?'], 2, 'Nobody that answers'],
  ] as const)('%j is refused before anybody is asked', async (words, status, message) => {
    const [before, ofOne] = [said('agents/one/inbox').length, prompts('one').length];
    expect(await asks(...words)).toMatchObject({ exit: status, ok: false, error: { message: expect.stringContaining(message) } });
    expect([said('agents/one/inbox').length, prompts('one').length]).toEqual([before, ofOne]);
    expect(existsSync(join(fleet.home.path, 'agents/shell'))).toBe(false);
  });
});
