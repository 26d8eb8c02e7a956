/** What the pages for agents say, held against the program without running a fleet. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { scopeBreaches } from '../../src/orient/scope.ts';
import { exitStatus } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { checkFiles } from '../../src/observe/check.ts';
import type { WorkFile } from '../../src/observe/check.ts';
import { DEFAULT_CONFIG } from '../../src/observe/fleetConfig.ts';
import { TASK_FIELDS } from '../../src/observe/taskFields.ts';
import { parseTask } from '../../src/observe/taskFile.ts';
import { parseResultFile } from '../../src/observe/report.ts';
import { fencedBlocks } from '../../src/adapters/providers/fences.ts';
import { examplesOf, page, tableOf } from '../support/pages.ts';

const WORKER = page('templates/WORKER_CLAUDE.md');
const COORDINATOR = page('templates/COORDINATOR_CLAUDE.md');
function files(folder: string): readonly string[] {
  return readdirSync(fileURLToPath(new URL(`../../${folder}`, import.meta.url))).filter((name) => name.endsWith('.md')).map((name) => `${folder}/${name}`);
}

/** What `cambium check` would say of each file by itself. */
const remarks = (texts: Readonly<Record<string, string>>): readonly unknown[] => {
  const files = Object.entries(texts).map(([path, text]): [string, WorkFile] => [path, { mode: '100644', size: Buffer.byteLength(text), bytes: Buffer.from(text) }]);
  return checkFiles(new Map(files)).findings;
};

const parse = (path: string, text: string): ReturnType<typeof parseTask> => parseTask({ path, blob: '0'.repeat(40), bytes: Buffer.from(text) });

describe('the templates', () => {
  it.each([['templates/WORKER_CLAUDE.md', 200], ['templates/COORDINATOR_CLAUDE.md', 220], ['templates/AGENTS.md', 60], ['AGENTS.md', 80], ['templates/CLAUDE.md', 15], ['CLAUDE.md', 15]])('%s is short enough to be read on each waking', (path, lines) => {
    expect(page(path).split('\n').length).toBeLessThanOrEqual(lines);
  });

  it('CLAUDE.md brings AGENTS.md in by itself', () => {
    for (const path of ['CLAUDE.md', 'templates/CLAUDE.md']) expect(page(path).split('\n')[0]).toBe('@AGENTS.md');
  });

  it('an agent of a fleet reads the same in this repository as in any workspace', () => {
    const part = (text: string): string => text.slice(text.indexOf('## If CAMBIUM_AGENT is set'));
    expect(part(page('AGENTS.md'))).toBe(part(page('templates/AGENTS.md')));
    expect(part(page('AGENTS.md')).length).toBeGreaterThan(500);
  });

  it('name only files that a workspace or this repository has', () => {
    const named = new Set([WORKER, COORDINATOR, page('templates/AGENTS.md')].flatMap((text) => [...text.matchAll(/templates\/[\w.]+\w/g)].map(([path]) => path)));
    for (const path of named) expect(files('templates'), path).toContain(path);
  });

  it('the model instruction file is one: complete, with every section, and read without a remark', () => {
    const path = 'tasks/model.md';
    expect(remarks({ [path]: page('templates/task.md') })).toEqual([]);
    expect(parse(path, page('templates/task.md'))).toMatchObject({ title: 'List the latest changes', contextFiles: ['self-model.md'] });
    for (const section of ['Objective', 'Requirements', 'Context', 'Steps', 'Expected output', 'Acceptance']) expect(page('templates/task.md')).toContain(`\n## ${section}\n`);
    expect(page('templates/task.md').split('\n')[1]).toMatch(/^# yaml-language-server: \$schema=\S*templates\/schemas\/instruction\.schema\.json$/);
  });
});

describe('the worker template', () => {
  it('tells of each error code the exit that it has', () => {
    const rows = tableOf(WORKER, 'exit').filter(([, code]) => code !== '');
    const told = rows.flatMap(([exit, codes = '']) => codes.split(', ').map((code) => [code.replaceAll('`', ''), Number(exit)] as const));
    expect(told.length).toBeGreaterThan(12);
    for (const [code, exit] of told) expect(exitStatus(code as ErrorCode), code).toBe(exit);
    const known = page('docs/troubleshooting.md');
    for (const [code] of told) expect(known, code).toContain(`\`${code}\``);
  });

  it('shows a report that the node reads as it is meant', () => {
    const [report] = fencedBlocks(WORKER).filter(({ language }) => language === 'markdown');
    const read = parseResultFile(report?.text ?? '');
    expect(read).toMatchObject({ failed: false, criteria: [{ text: 'GET /hello answers 200', met: true }] });
    expect(read.body).toMatch(/^Added the route/);
    expect(parseResultFile('---\noutcome: failed\nretryable: false\n---\nWhich port?')).toMatchObject({ failed: true, retryable: false });
  });

  it('says of every path whether a worker may touch it as landing judges it', () => {
    const blob = { mode: '100644' as const, oid: '1'.repeat(40) };
    const judge = (path: string, before: typeof blob | null): readonly string[] => scopeBreaches([{ path, before, after: blob } as never], 'worker', 'helper', DEFAULT_CONFIG);
    for (const path of ['src/x.ts', 'tasks/new-one.md', 'memory/helper/2026-11-21-x.md']) expect(judge(path, null), path).toEqual([]);
    for (const path of ['cambium.yaml', 'templates/task.md', 'AGENTS.md', 'CLAUDE.md', 'hooks/x', '.claude/settings.json', 'tasks/x.result.md', 'agents/helper.md', 'memory/other/x.md']) expect(judge(path, null), path).toHaveLength(1);
    for (const path of ['tasks/old.md', 'memory/helper/old.md']) expect(judge(path, blob), path).toHaveLength(1);
    const coordinator = (path: string, before: typeof blob | null): number => scopeBreaches([{ path, before, after: blob } as never], 'coordinator', 'lead', DEFAULT_CONFIG).length;
    expect([coordinator('tasks/a.md', null), coordinator('tasks/a.md', blob), coordinator('src/x.ts', null)]).toEqual([0, 1, 1]);
  });
});

describe('the coordinator template', () => {
  it('shows good and bad instruction files, and the good ones are read without a remark', () => {
    const examples = examplesOf(COORDINATOR);
    expect(examples.map(({ kind, path }) => `${kind} ${path}`)).toEqual(['good tasks/api-hello.md', 'bad tasks/hello-endpoint.md', 'bad tasks/api-clock.md', 'good tasks/api-report.md']);
    expect(remarks(Object.fromEntries(examples.map(({ path, text }) => [path, text])))).toEqual([]);
    for (const { kind, text } of examples) expect(/^verify: /m.test(text) && /^acceptance_criteria:/m.test(text), text).toBe(kind === 'good');
  });

  it('speaks only of keys that an instruction file has', () => {
    const keys = tableOf(COORDINATOR, 'key').flatMap(([cell = '']) => [...cell.matchAll(/`([a-z_]+)`/g)].map(([, key = '']) => key));
    expect(keys.length).toBeGreaterThan(6);
    for (const key of keys) expect(Object.keys(TASK_FIELDS), key).toContain(key);
  });

  it('has a row for every state that a task can be in', () => {
    const told = tableOf(COORDINATOR, 'state').flatMap(([cell = '']) => [...cell.matchAll(/`([a-z]+)`/g)].map(([, state = '']) => state));
    expect(told.toSorted()).toEqual(['blocked', 'cancelled', 'done', 'failed', 'held', 'input', 'ready', 'review', 'waiting']);
  });
});
