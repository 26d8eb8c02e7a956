import { describe, expect, test } from 'vitest';
import { createMemoryStore } from '../../src/adapters/memory/store.ts';
import type { Finding } from '../../src/model/finding.ts';
import { checkFiles } from '../../src/observe/check.ts';
import type { WorkFile } from '../../src/observe/check.ts';
import { parseFleetConfig } from '../../src/observe/fleetConfig.ts';
import { createTaskIndex } from '../../src/observe/taskIndex.ts';
import { CORPUS, NAMES } from '../hostile/corpus.ts';

const file = (content: string | Uint8Array, mode: WorkFile['mode'] = '100644'): WorkFile => {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  return { mode, size: bytes.length, bytes };
};
const check = (files: Readonly<Record<string, string>>) => checkFiles(new Map(Object.entries(files).map(([path, text]) => [path, file(text)])));
const brief = (findings: readonly Finding[]): readonly string[] => findings.map(({ path, line, column, level, code }) => `${path}:${line}:${column ?? '-'} ${level} ${code}`);
/** Those that cost nothing, for what need not read the others again. */
const SMALL = CORPUS.filter(({ bytes }) => bytes.length < 10_000);
const front = (yaml: string): string => `---\n${yaml}\n---\nDo it.\n`;

describe('check and the fleet give the same verdict', () => {
  test.each(CORPUS.map((hostile) => [hostile.name, hostile] as const))('%s', (_, { bytes, expected }) => {
    const { findings, tasks } = checkFiles(new Map([['tasks/x.md', file(bytes)]]));
    const errors = findings.filter(({ level }) => level === 'error');
    expect(errors.length > 0, JSON.stringify(errors)).toBe(expected.verdict === 'quarantined');
    expect(tasks.has('x')).toBe(expected.verdict === 'task');
    for (const { line, message, mend } of findings) expect(line >= 1 && message !== '' && mend !== '').toBe(true);
    if (expected.verdict !== 'quarantined') return;
    // Where several things are wrong the door tells the first. A list is judged at its key there, at the item here.
    if (expected.reason !== undefined) expect(errors[0]?.message).toMatch(expected.reason);
    expect(errors[0]?.line).toBeGreaterThanOrEqual(expected.line);
    expect(errors[0]?.line).toBeLessThanOrEqual(expected.line + 2);
  });

  test('over the whole corpus at once, names and twins included, as the fleet reads it from a commit', async () => {
    const deep = `tasks/${Array.from({ length: 16 }, (_, at) => `d${at}`).join('/')}`;
    const files = new Map<string, WorkFile>([
      ...NAMES.filter(([path]) => !/[\\:]|git~1/.test(path)).map(([path]): [string, WorkFile] => [path, file('# Fine\n')]),
      ...SMALL.map(({ bytes }, at): [string, WorkFile] => [`tasks/hostile/h${at}.md`, file(bytes)]),
      ['tasks/one/twin.md', file('# Twin\n')], ['tasks/two/twin.md', file(front('priority: 9'))], ['tasks/one/twin.result.md', file('no result')],
      ['tasks/link.md', file('/etc/passwd', '120000')], [`${deep}/last.md`, file('# Too deep\n')], [`${deep.replace('/d15', '')}/fine.md`, file('# Deep\n')],
      ['tasks/odd.claim.json', file('{"schema":"cambium.claim/9"}')], ['tasks/torn.claim.json', file('{')],
    ]);
    const store = createMemoryStore();
    const view = await createTaskIndex(store).read(await treeOf(store, files));
    const { findings, tasks } = checkFiles(files);
    const bad = new Set(findings.filter(({ level }) => level === 'error').map(({ path }) => path));
    expect([...bad].toSorted()).toEqual([...new Set(view.quarantine.map(({ path }) => (path === deep ? `${deep}/last.md` : path)))].toSorted());
    expect([...tasks.keys()].toSorted()).toEqual([...view.tasks.keys()].toSorted());
  });

  test('on cambium.yaml', () => {
    for (const { bytes, name } of SMALL) {
      const isBad = 'problems' in parseFleetConfig(bytes);
      const { findings, config } = checkFiles(new Map([['cambium.yaml', file(bytes)]]));
      expect(findings.some(({ level }) => level === 'error'), name).toBe(isBad);
      expect(config === null, name).toBe(isBad);
    }
  });
});

type Store = ReturnType<typeof createMemoryStore>;

async function treeOf(store: Store, files: ReadonlyMap<string, WorkFile>): Promise<string> {
  const folders = new Map<string, Map<string, WorkFile>>();
  const entries = [];
  for (const [path, content] of files) {
    const [top = '', ...rest] = path.split('/');
    if (rest.length === 0) entries.push({ mode: content.mode, name: top, oid: await store.writeBlob(content.bytes as Uint8Array) });
    else folders.set(top, (folders.get(top) ?? new Map<string, WorkFile>()).set(rest.join('/'), content));
  }
  for (const [name, below] of folders) entries.push({ mode: '40000' as const, name, oid: await treeOf(store, below) });
  return store.writeTree(entries);
}

describe('an instruction file', () => {
  test('is told of everything at once, each thing at its own place', () => {
    const { findings } = check({ 'tasks/x.md': front('title: a\npriority: 9\ndepends_on:\n  - ok\n  - Bad Id\n  - 7\nreview: true') });
    expect(brief(findings)).toEqual(['tasks/x.md:3:1 error bad-value', 'tasks/x.md:6:5 error bad-value', 'tasks/x.md:7:5 error bad-value', 'tasks/x.md:8:1 error bad-value']);
  });

  test('with broken YAML is told where in the line it breaks', () => {
    expect(brief(check({ 'tasks/x.md': front('title: x\nnote: "a" b') }).findings)).toEqual(['tasks/x.md:3:11 error bad-text']);
  });

  test('is told of a key that nobody reads, and of the one that was meant', () => {
    const { findings, tasks } = check({ 'tasks/x.md': front('dependsOn: [a]\npriorty: 1\nassignee: w\ncolour: red\nx-team: web\nschema: cambium.task/1') });
    expect(brief(findings)).toEqual([1, 2, 3, 4].map((line) => `tasks/x.md:${line + 1}:1 warning unknown-key`));
    expect(findings.map(({ mend }) => mend)).toEqual(['Did you mean `depends_on`?', 'Did you mean `priority`?', expect.any(String), 'Check the spelling; call it `x-colour` if it is your own.']);
    expect(tasks.has('x')).toBe(true);
  });

  test('of a newer format is told to upgrade', () => {
    expect(check({ 'tasks/x.md': front('schema: cambium.task/2') }).findings).toMatchObject([{ line: 2, column: 1, code: 'schema-too-new', mend: 'Upgrade cambium on this machine.' }]);
  });

  test('that is too large is refused by its size alone', () => {
    const { findings } = checkFiles(new Map([['tasks/x.md', { mode: '100644', size: 2_000_000, bytes: null }]]));
    expect(findings).toMatchObject([{ code: 'bad-text', level: 'error', message: expect.stringContaining('2000000 bytes') }]);
  });
});

test('a bad name comes with a good one, and is not read', () => {
  expect(check({ 'tasks/Add Login!.md': front('priority: 9') }).findings).toMatchObject([{ code: 'bad-name', mend: 'Rename the file to add-login.md.' }]);
});

test('an id that two files claim is no task, and both are named', () => {
  const { findings, tasks, setAside } = check({ 'tasks/a/x.md': '# x\n', 'tasks/b/x.md': '# x\n', 'tasks/x.result.md': 'no result' });
  expect(brief(findings)).toEqual(['tasks/a/x.md:1:- error duplicate-id', 'tasks/b/x.md:1:- error duplicate-id', 'tasks/x.result.md:1:1 error bad-value']);
  expect([tasks.size, [...setAside]]).toEqual([0, ['x']]);
});

describe('what is no regular file is refused where the fleet would read it, and nowhere else', () => {
  test.each([['tasks/x.md', true], ['tasks/notes.txt', true], ['cambium.yaml', true], ['agents/roster.json', true], ['agents/worker-1.md', true], ['docs/x.md', false], ['agents/README.md', false]])('%s', (path, refused) => {
    for (const mode of ['120000', '160000'] as const) expect(checkFiles(new Map([[path, { mode, size: 0, bytes: null }]])).findings.map(({ code }) => code)).toEqual(refused ? ['not-a-file'] : []);
  });
});

describe('cambium.yaml', () => {
  test('is told of every problem with line and column', () => {
    const { findings, config } = check({ 'cambium.yaml': 'schema: cambium.fleet/1\nbranch: a..b\nagents: { project: {} }\n' });
    expect(brief(findings)).toEqual(['cambium.yaml:2:1 error bad-value', 'cambium.yaml:3:11 error bad-value']);
    expect(config).toBeNull();
  });

  test('is told which key was meant, and lets people have their own', () => {
    const { findings } = check({ 'cambium.yaml': 'schema: cambium.fleet/1\nx-owner: maria\nagents:\n  a1: { modle: daily }\ntiming: {}\n' });
    expect(findings.map(({ line, column, level, mend }) => [line, column, level, mend])).toEqual([[5, 1, 'warning', 'Did you mean `timings`?'], [4, 9, 'warning', 'Did you mean `model`?']]);
  });

  test.each([['a: [\n', 'bad-text'], ['schema: cambium.fleet/2\n', 'schema-too-new'], ['\ufeffschema: cambium.fleet/1\n', 'bad-text']])('%j', (text, code) => {
    expect(check({ 'cambium.yaml': text }).findings).toMatchObject([{ code, level: 'error' }]);
  });

  test('that is not there leaves the defaults in force', () => {
    expect(check({ 'tasks/x.md': '# x\n' }).config).toMatchObject({ defaults: { provider: 'runbook' } });
  });
});

describe('what the fleet writes', () => {
  const OID = 'ab'.repeat(20);
  const claim = { schema: 'cambium.claim/1', task: 'x', kind: 'claim', epoch: 1, attempt: 1, agent: 'worker-1', node: 'vm', incarnation: 'i', op: 'o', instruction: { blob: OID, commit: OID }, ttl_s: 180, claimed_at: 'now' };
  const lines = (value: object): string => JSON.stringify(value, null, 2);

  test('is good as it is written', () => {
    const roster = { schema: 'cambium.roster/1', agents: [{ id: 'worker-1', role: 'worker', node: 'vm', capabilities: ['node'], provider: 'runbook', status: 'active', joined: 'a', last_active: 'b' }] };
    const checked = check({ 'tasks/x.md': '# x\n', 'tasks/x.claim.json': lines(claim), 'agents/roster.json': lines(roster), 'tasks/README.md': 'not a task', 'tasks/data.csv': 'a,b' });
    expect([checked.findings, checked.files, checked.roster]).toEqual([[], 3, roster.agents]);
  });

  test.each([
    ['tasks/x.claim.json', lines({ ...claim, kind: 'clam' }), '4:3', 'bad-record'],
    ['tasks/x.claim.json', lines({ ...claim, instruction: { blob: 'no', commit: OID } }), '12:5', 'bad-record'],
    ['tasks/x.claim.json', lines({ ...claim, task: 'y' }), '3:3', 'wrong-place'],
    ['tasks/x.claim.json', lines({ ...claim, schema: 'cambium.claim/2' }), '2:3', 'schema-too-new'],
    ['tasks/x.claim.json', '{\n  "a": 1,\n}\n', '3:1', 'bad-record'],
    ['tasks/x.claim.json', '{"a":\n<<<<<<< HEAD\n1}', '2:-', 'bad-record'],
    ['tasks/x.claim.json', '', '1:-', 'bad-record'],
    ['agents/roster.json', '{"schema":"cambium.roster/1",\n"agents":[{"id":"Bad"}]}', '2:12', 'bad-record'],
    ['agents/spawns/2026-11/01JD.json', '{"schema":"cambium.spawn/1",\n"id":""}', '2:1', 'bad-record'],
    ['tasks/x.result.md', front('schema: cambium.result/1\noutcome: maybe'), '3:1', 'bad-value'],
    ['agents/channels/design/01JD.md', front('schema: cambium.message/1\nid: 01JD\nfrom: maria\nat: now'), '4:1', 'bad-value'],
    ['agents/worker-1.md', '---\na: [\n---\n', '2:5', 'bad-text'],
    ['agents/worker-1.md', 'a\0b', '1:-', 'bad-text'],
  ])('%s: %j', (path, text, place, code) => {
    expect(brief(check({ [path]: text }).findings)).toEqual([`${path}:${place} error ${code}`]);
  });

  test('an agent\'s own file needs an agent\'s name', () => {
    const { findings, selfModels } = check({ 'agents/Notes.md': 'x', 'agents/human.md': 'x', 'agents/worker-1.md': '---\nfocus: login\n---\nI am good at forms.\n', 'agents/_draft.md': '---' });
    expect(findings.map(({ path, level, mend }) => [path, level, mend.split(',')[0]])).toEqual([['agents/Notes.md', 'warning', 'Rename the file to notes.md'], ['agents/human.md', 'warning', 'Rename the file to agent-human.md']]);
    expect([...selfModels]).toEqual([['worker-1', 'agents/worker-1.md']]);
  });
});
