/** What the pages for people say of the program, held against it: the README's commands are run, all others are looked up. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fencedBlocks } from '../../src/adapters/providers/fences.ts';
import { cli } from '../support/cli.ts';
import { mentionsOf, page } from '../support/pages.ts';
import { makePlace, must } from '../support/place.ts';
import type { Place } from '../support/place.ts';

describe('the commands of the README', () => {
  let place: Place;
  const lines = (): readonly string[] => fencedBlocks(page('README.md')).filter(({ language }) => language === '' || language === 'sh')
    .flatMap(({ text }) => text.split('\n')).filter((line) => /^(?:cambium [a-z]|git init )/.test(line)).map((line) => line.replace(/\s+#\s.*$/, ''));
  const KNOWN = [
    'cambium init my-fleet && cd my-fleet', 'git init --bare --initial-branch=main /srv/git/fleet.git', 'cambium join /srv/git/fleet.git', 'cambium up',
    'cambium clone <url> my-fleet --node laptop && cd my-fleet && cambium up',
    'cambium provider list', 'cambium task add "Add the login check" --criterion "a wrong password is refused" --verify "npm test"',
    'cambium status', 'cambium spawn logs <id> -f', "cambium send '#design @worker-1 which index do we need?' --wait", 'cambium cost --by agent',
    'cambium task claim --agent helper --json', 'cambium task renew translate --agent helper --epoch 1', 'cambium task complete translate --agent helper --epoch 1 --result report.md',
    'cambium show poster', 'cambium task reject poster --why "too red"', 'cambium task approve poster',
  ];

  beforeAll(async () => { place = await makePlace('helper'); }, 60_000);
  afterAll(() => place?.remove());

  it('are all known here', () => expect(lines()).toEqual(KNOWN));

  it('run as they stand there, one machine after the other, and the worker from outside lands its task', async () => {
    const { root } = place;
    const hub = join(root, 'fleet.git');
    const other = join(root, 'other');
    mkdirSync(other);
    // The paths are of this machine, and the daemons end when nothing is left to do.
    const here = (line = ''): string => line.replaceAll('/srv/git/fleet.git', `'${hub}'`).replaceAll('<url>', `'${hub}'`).replace(/cambium up$/, 'cambium up --until-idle');
    const [init, bare, join_, up, clone, providers, add, status, logs, send, cost, claim, renew, complete, show, reject, approve] = KNOWN.map(here);
    await must(place.line(`cd '${root}' && ${init} && ${bare} && ${join_} && ${up}`));
    await must(place.line(`cd '${other}' && ${clone}`));
    const inside = (line = ''): Promise<unknown> => must(place.line(`cd '${root}/my-fleet' && ${line}`));
    await inside('cambium task add "Translate the greeting" --id translate --criterion "greeting.de.txt says Hallo" --verify "grep -q Hallo greeting.de.txt"');
    await inside(claim);
    writeFileSync(join(root, 'my-fleet/.cambium/worktrees/translate-1/greeting.de.txt'), 'Hallo\n');
    writeFileSync(join(root, 'my-fleet/report.md'), '---\ncriteria:\n  - { text: greeting.de.txt says Hallo, met: true, evidence: cat }\n---\nTranslated by hand.\n');
    await inside(renew);
    await inside(complete);
    await inside(`printf '%s\\n' '\`\`\`sh' 'echo hello' '\`\`\`' | cambium task add "Say hello" --id hello --body - && cambium up --until-idle`);
    const found = await must(place.line(`cd '${root}/my-fleet' && ID=$(cambium spawn list --task hello --json | sed 's/.*"id":"\\([0-9A-Z]*\\)".*/\\1/') && ${(logs ?? '').replace('<id>', '"$ID"')}`));
    expect(found.stdout).toContain('hello');
    // The only agent runs runbooks: it is named, and nothing is waited for.
    for (const line of [providers, status, send, cost]) await inside(line);
    await inside(`unset CAMBIUM_AGENT; ${add} --id login && cambium task cancel login`);
    const draw = async (epoch: number): Promise<void> => {
      await inside('cambium task claim poster --agent helper');
      writeFileSync(join(root, `my-fleet/.cambium/worktrees/poster-${epoch}/poster.txt`), `try ${epoch}\n`);
      await inside(`cambium task complete poster --agent helper --epoch ${epoch}`);
    };
    await inside('cambium task add "Draw the poster" --id poster --review human');
    await draw(1);
    await inside(show);
    const asPerson = (line = ''): Promise<unknown> => inside(`unset CAMBIUM_AGENT; ${line}`);
    await asPerson(reject);
    await draw(2);
    await asPerson(approve);
    await inside('cambium cycle && grep -qx "try 2" poster.txt');
    await must(place.line(`cd '${other}/my-fleet' && cambium sync && grep -qx Hallo greeting.de.txt`));
  }, 120_000);
});

describe('commands that a page names, in blocks and in running text', () => {
  const below = (folder: string): readonly string[] => readdirSync(fileURLToPath(new URL(`../../${folder}`, import.meta.url))).filter((name) => name.endsWith('.md')).map((name) => `${folder}/${name}`);
  const PAGES = ['AGENTS.md', 'CLAUDE.md', 'README.md', 'tasks/README.md', 'agents/README.md', 'memory/README.md', 'self-model.md', ...below('templates'), ...below('docs'), ...below('docs/decisions')];

  /** Options by verb, as `--help` lists them. */
  async function verbs(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const help = async (...verb: readonly string[]): Promise<string> => (await cli([...verb, '--help'], { cwd: '/' })).stdout;
    const listed = (text: string): readonly string[] => [...(text.split(/^Commands:\n/m)[1] ?? '').matchAll(/^ {2}([a-z-]+)/gm)].map(([, name = '']) => name).filter((name) => name !== 'help');
    const top = listed(await help());
    const names = (await Promise.all(top.map(async (name) => [name, ...listed(await help(name)).map((sub) => `${name} ${sub}`)]))).flat();
    const found = await Promise.all(names.map(async (name) => [name, new Set([...(await help(...name.split(' '))).matchAll(/(?<=^ {2,6}|, )--?[a-z][a-z-]*/gm)].map(([option]) => option))] as const));
    return new Map(found);
  }

  it('are verbs and options of the program', async () => {
    const known = await verbs();
    const wrong = PAGES.flatMap((path) => mentionsOf(page(path)).flatMap((words) => {
      const name = [words.slice(0, 2).join(' '), words[0] ?? ''].find((verb) => known.has(verb));
      // `cambium task add | claim | complete` names several at once.
      if (name === undefined) return /\||^"/.test(words.slice(0, 2).join('')) ? [] : [`${path}: cambium ${words.join(' ')}`];
      const options = words.filter((word) => /^--?[a-z]/.test(word)).flatMap((word) => word.split('|')).map((word) => word.replace(/[=,.;:)].*$/, ''));
      return options.filter((option) => !known.get(name)?.has(option) && !['--json', '--help'].includes(option)).map((option) => `${path}: cambium ${name} has no ${option}`);
    }));
    expect(wrong).toEqual([]);
  }, 60_000);
});
