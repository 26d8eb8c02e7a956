/**
 * Two people's editors and a daemon on one checkout, while others change the same files at the hub.
 *
 * Every version that an editor saves is unique, its oid goes into the editor's journal before it is written, and the
 * editor saves a file again only when the daemon has said (in the ledger) that this very version is in a commit or in
 * a rescue. So no version is ever overwritten by its own editor before it was seen, and the claim is plain: each blob
 * of the journals is reachable from a ref. If the daemon lost one, it would be missing, and its editor would wait for
 * ever, which fails the test too.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Commit } from '../../src/model/git.ts';
import type { Oid } from '../../src/model/ids.ts';
import type { CheckoutEdit } from '../../src/ports/checkout.ts';
import { openCheckout } from '../../src/adapters/checkout/checkout.ts';
import { createSystemClock } from '../../src/adapters/system/clock.ts';
import { openDesk } from '../adapters/checkout/desk.ts';
import type { Desk, Files } from '../adapters/checkout/desk.ts';
import { startProgram } from '../support/program.ts';
import { until } from '../support/temp.ts';

const PASSES = 200;
const FILES_EACH = 3;
const PEOPLE = ['maria', 'jon'];
const HUB_MAIN = 'refs/hub/heads/main';

const pathsOf = (person: string): string[] => Array.from({ length: FILES_EACH }, (_, at) => `tasks/${person}-${at}.md`);

/** Saves by truncating and writing, by a temporary file and rename, and as vim does with a backup; in turns. */
function startEditor(desk: Desk, person: string, ledger: string, journal: string, stop: string): ReturnType<typeof startProgram> {
  return startProgram(`
    import fs from 'node:fs';
    import { createHash } from 'node:crypto';
    import { setTimeout as sleep } from 'node:timers/promises';
    const paths = ${JSON.stringify(pathsOf(person).map((path) => join(desk.root, path)))};
    const styles = [
      async (path, text) => {
        const fd = fs.openSync(path, 'w');
        fs.writeSync(fd, text.slice(0, 20));
        await sleep(Math.random() * 8);
        fs.writeSync(fd, text.slice(20));
        fs.closeSync(fd);
      },
      async (path, text) => {
        fs.writeFileSync(path + '.tmp', text);
        await sleep(Math.random() * 4);
        fs.renameSync(path + '.tmp', path);
      },
      async (path, text) => {
        if (fs.existsSync(path)) fs.renameSync(path, path + '~');
        await sleep(Math.random() * 4);
        fs.writeFileSync(path, text);
        fs.rmSync(path + '~', { force: true });
      },
    ];
    const pending = new Map();
    for (let version = 0; !fs.existsSync(${JSON.stringify(stop)}); version++) {
      const path = paths[version % paths.length];
      const text = ${JSON.stringify(person)} + ' version ' + version + ' ' + 'x'.repeat(Math.random() * 200) + '\\n';
      const oid = createHash('sha1').update('blob ' + text.length + '\\0' + text).digest('hex');
      while (pending.has(path) && !fs.readFileSync(${JSON.stringify(ledger)}, 'utf8').includes(pending.get(path))) {
        if (fs.existsSync(${JSON.stringify(stop)})) process.exit(0);
        await sleep(5);
      }
      fs.appendFileSync(${JSON.stringify(journal)}, oid + ' ' + path + '\\n');
      await styles[Math.floor(version / paths.length) % styles.length](path, text);
      pending.set(path, oid);
      await sleep(Math.random() * 150);
    }
    process.exit(0);`);
}

interface Node {
  synced: Oid;
  readonly counts: { advanced: number; edits: number; skipped: number; displaced: number; replaced: number };
}

const REPLACED_MIN = 20;

test(`no saved version is lost in ${PASSES} passes with two editors saving in three styles`, async () => {
  const start = Object.fromEntries(PEOPLE.flatMap(pathsOf).map((path) => [path, 'start\n']));
  const desk = await openDesk({ files: start });
  const [ledger, stop] = [join(desk.gitDir, 'ledger'), join(desk.gitDir, 'stop')];
  const journals = PEOPLE.map((person) => join(desk.gitDir, `journal-${person}`));
  for (const file of [ledger, ...journals]) writeFileSync(file, '');
  desk.git('update-ref', HUB_MAIN, 'HEAD');
  const checkout = openCheckout({
    root: desk.root, gitDir: desk.gitDir, commonDir: desk.gitDir, branch: 'main', store: desk.store, clock: createSystemClock(), halfSavedMs: 400, settleMs: 15,
  });
  const node: Node = { synced: desk.tree(), counts: { advanced: 0, edits: 0, skipped: 0, displaced: 0, replaced: 0 } };
  const editors = PEOPLE.map((person, at) => startEditor(desk, person, ledger, journals[at] ?? '', stop));
  try {
    // On a loaded machine the editors come to save less often: the passes go on until enough has happened to judge by.
    for (let pass = 0; pass < PASSES || (node.counts.replaced <= REPLACED_MIN && pass < 20 * PASSES); pass++) await runPass(desk, checkout, node, ledger, landing(pass));
    const saves = journals.map((journal) => readFileSync(journal, 'utf8').trimEnd().split('\n').length);
    writeFileSync(stop, '');
    await Promise.all(editors.map(async ({ child }) => until(() => (child.exitCode === null ? null : true))));
    // The last versions settle, are published and adopted.
    await until(async () => {
      await runPass(desk, checkout, node, ledger, {});
      return desk.status() === '' && desk.git('rev-parse', 'HEAD', HUB_MAIN).split('\n').every((oid, _, all) => oid === all[0]) ? true : null;
    });
    expectNothingLost(desk, journals);
    expect(Math.min(...saves)).toBeGreaterThan(15);
    expect(node.counts.advanced).toBeGreaterThan(PASSES / 2);
    expect(node.counts.replaced).toBeGreaterThan(REPLACED_MIN);
    expect(node.counts.skipped).toBeGreaterThan(0);
    expect(desk.git('fsck', '--strict', '--no-dangling')).toBe('');
  } finally {
    writeFileSync(stop, '');
    for (const { child } of editors) child.kill('SIGKILL');
    await desk.close();
  }
});

/** What others land before a pass: new results, and now and then the very files the people are editing. */
function landing(pass: number): Files {
  const theirs = PEOPLE.flatMap(pathsOf).filter((_, at) => (pass + at) % 3 === 0);
  return { [`memory/worker-1/episodes/e${pass % 20}.md`]: `${pass}\n`, ...Object.fromEntries(theirs.map((path) => [path, `the fleet in pass ${pass}\n`])) };
}

/** One pass of a node: others land, saved edits are published over theirs, the checkout is brought up to date. */
async function runPass(desk: Desk, checkout: ReturnType<typeof openCheckout>, node: Node, ledger: string, files: Files): Promise<void> {
  const look = await checkout.look();
  if (look.state !== 'ready') return;
  const before = await desk.store.readRef(HUB_MAIN);
  let main = Object.keys(files).length === 0 ? before ?? '' : await desk.landed(files, before ?? '');
  const { edits } = await checkout.edits(node.synced, node.counts.advanced % 5 === 0);
  if (edits.length > 0) main = await publish(desk, main, edits);
  await desk.store.updateRefs([{ ref: HUB_MAIN, to: main }], 'test');
  appendFileSync(ledger, edits.map(({ oid }) => `${oid ?? ''}\n`).join(''));
  const moved = await checkout.advance({ head: look.head, target: main, synced: node.synced });
  for (const { oid } of moved.displaced) {
    await rescue(desk, oid);
    appendFileSync(ledger, `${oid}\n`);
  }
  node.synced = moved.synced;
  node.counts.edits += edits.length;
  node.counts.skipped += moved.skipped.length;
  node.counts.displaced += moved.displaced.length;
  if (moved.moved) node.counts.advanced++;
  const mine = new Set([...edits, ...moved.skipped].map(({ path }) => path));
  if (moved.moved) node.counts.replaced += Object.keys(files).filter((path) => path.startsWith('tasks/') && !mine.has(path)).length;
}

async function publish(desk: Desk, parent: Oid, edits: readonly CheckoutEdit[]): Promise<Oid> {
  const { tree, author }: Commit = await desk.store.readCommit(parent);
  const edited = await desk.store.editTree(tree, new Map(edits.map(({ path, mode, oid }) => [path, mode === null ? null : { mode, oid }])));
  return desk.store.writeCommit({ tree: edited, parents: [parent], author, committer: author, message: 'note\n' });
}

async function rescue(desk: Desk, oid: Oid): Promise<void> {
  const tree = await desk.store.writeTree([{ mode: '100644', name: 'rescued', oid }]);
  const { author } = await desk.store.readCommit(desk.git('rev-parse', 'HEAD'));
  const commit = await desk.store.writeCommit({ tree, parents: [], author, committer: author, message: 'rescue\n' });
  await desk.store.updateRefs([{ ref: `refs/cambium/rescue/test/${oid}`, to: commit }], 'test');
}

function expectNothingLost(desk: Desk, journals: readonly string[]): void {
  const kept = new Set(desk.git('rev-list', '--objects', '--all').split('\n').map((line) => line.split(' ')[0]));
  const saved = journals.flatMap((journal) => readFileSync(journal, 'utf8').trimEnd().split('\n')).map((line) => line.split(' '));
  const lost = saved.filter(([oid = '', path = '']) => !kept.has(oid) && !(existsSync(path) && desk.git('hash-object', path) === oid));
  expect(lost).toEqual([]);
}
