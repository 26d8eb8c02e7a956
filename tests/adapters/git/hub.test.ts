import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { existsSync, chmodSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureEmbeddedHub } from '../../../src/adapters/git/embeddedHub.ts';
import { STAGING_PREFIX, openGitHub } from '../../../src/adapters/git/hub.ts';
import { checkClone, probeHub } from '../../../src/adapters/git/probe.ts';
import { hubFailure, pushOutcome, redact } from '../../../src/adapters/git/pushReport.ts';
import { readProcess } from '../../../src/adapters/system/processTable.ts';
import type { Hub } from '../../../src/ports/hub.ts';
import { hubContract } from '../../contracts/hub.ts';
import { cloneOf, gitHubWorld, gitIn, makeBareHub, makeClone, refsOf, setHook, tempDir, writeCommit } from '../../support/repo.ts';

const dir = tempDir('hub');
afterAll(() => dir.remove());
let made = 0;
/** A bare hub and a clone of it that no other test uses. */
function pair(format: 'sha1' | 'sha256' = 'sha1') {
  const root = join(dir.path, `pair-${++made}`);
  mkdirSync(root);
  const bare = makeBareHub(join(root, 'hub.git'), format);
  const clone = makeClone(join(root, 'clone'), bare, format);
  return { root, bare, clone, gitDir: join(clone, '.git') };
}

hubContract('git over a path', () => gitHubWorld(join(dir.path, 'path'), { url: (bare) => bare }), { many: 600 });

describe('the hub over git', () => {
  it('a fetch moves no ref of the person, whatever the clone is configured to do', async () => {
    const { bare, clone, gitDir } = pair();
    const first = writeCommit(bare, 'first');
    gitIn(bare, ['update-ref', 'refs/heads/main', first]);
    gitIn(bare, ['tag', 'v1', first]);
    for (const setting of [['fetch.prune', 'true'], ['remote.origin.tagOpt', '--tags'], ['remote.origin.mirror', 'true']]) gitIn(clone, ['config', ...setting]);
    gitIn(clone, ['update-ref', 'refs/remotes/origin/gone', writeCommit(clone, 'only here')]);
    const before = refsOf(clone);
    const hub = openGitHub({ gitDir, url: bare, remote: 'origin' });
    await hub.fetch(await hub.list());
    const after = [...refsOf(clone)].filter(([ref]) => !ref.startsWith(STAGING_PREFIX));
    expect(after).toEqual([...before]);
    expect(existsSync(join(gitDir, 'FETCH_HEAD'))).toBe(false);
    expect(gitIn(clone, ['cat-file', '-t', first])).toBe('commit');
  });

  it('what was staged stays reachable until the hub has it no more', async () => {
    const { bare, clone, gitDir } = pair();
    const [kept, gone] = [writeCommit(bare, 'kept'), writeCommit(bare, 'gone')];
    gitIn(bare, ['update-ref', 'refs/cambium/claims/kept', kept]);
    gitIn(bare, ['update-ref', 'refs/cambium/claims/gone', gone]);
    const hub = openGitHub({ gitDir, url: bare });
    await hub.fetch(await hub.list());
    gitIn(clone, ['gc', '--quiet', '--prune=now']);
    expect([...refsOf(clone).values()].toSorted()).toEqual([kept, gone].toSorted());
    gitIn(bare, ['update-ref', '-d', 'refs/cambium/claims/gone']);
    const next = await hub.list();
    await hub.fetch(next);
    expect([...refsOf(clone).values()]).toEqual([kept]);
  });

  it('a ref below the name of one that went is fetched all the same', async () => {
    const { bare, gitDir } = pair();
    const oid = writeCommit(bare, 'x');
    const hub = openGitHub({ gitDir, url: bare });
    for (const ref of ['refs/heads/topic', 'refs/heads/topic/sub']) {
      gitIn(bare, ['update-ref', ref, oid]);
      await hub.fetch(await hub.list());
      gitIn(bare, ['update-ref', '-d', ref]);
    }
  });

  it('a push that is not answered in time is unknown, and nothing of it lives on', async () => {
    const { root, bare, clone, gitDir } = pair();
    setHook(bare, 'pre-receive', `echo $$ > '${root}/pid'; exec sleep 60`);
    const hub = openGitHub({ gitDir, url: bare, pushTimeoutMs: 1_000 });
    expect(await hub.push([{ ref: 'refs/cambium/claims/a', expect: null, to: writeCommit(clone, 'a') }])).toMatchObject({ kind: 'unknown' });
    const pid = Number(readFileSync(join(root, 'pid'), 'utf8'));
    await expect.poll(() => readProcess(pid)).toBe(null);
    expect(refsOf(bare).size).toBe(0);
  });

  it('only refs under refs/heads/ and refs/cambium/ are listed', async () => {
    const { bare, gitDir } = pair();
    const oid = writeCommit(bare, 'x');
    for (const ref of ['refs/heads/main', 'refs/cambium/fleet', 'refs/tags/v1', 'refs/other/refs/heads/y']) gitIn(bare, ['update-ref', ref, oid]);
    expect([...(await openGitHub({ gitDir, url: bare }).list()).keys()].toSorted()).toEqual(['refs/cambium/fleet', 'refs/heads/main']);
  });

  it('names that git would read as something else do not reach it', async () => {
    const { clone, bare, gitDir } = pair();
    const hub = openGitHub({ gitDir, url: bare });
    const to = writeCommit(clone, 'x');
    for (const ref of ['main', 'refs/heads/*', 'refs/heads/a:refs/heads/b', 'refs/heads/a\nb', '--all']) {
      await expect(hub.push([{ ref, expect: null, to }])).rejects.toMatchObject({ code: 'internal' });
    }
  });

  describe('with an ssh command of the person', () => {
    afterEach(() => { delete process.env['GIT_SSH_COMMAND']; });

    it('GIT_SSH_COMMAND is what reaches the hub', async () => {
      const { root, bare, clone, gitDir } = pair();
      process.env['GIT_SSH_COMMAND'] = script(root, 'for last; do :; done; exec sh -c "$last"');
      const hub = openGitHub({ gitDir, url: `ssh://git@example.invalid${bare}` });
      const to = writeCommit(clone, 'x');
      expect(await hub.push([{ ref: 'refs/heads/main', expect: null, to }])).toEqual({ kind: 'accepted' });
      expect([...(await hub.list())]).toEqual([['refs/heads/main', to]]);
    });

    it('being turned away is hub-denied, and a push unknown', async () => {
      const { root, clone, gitDir } = pair();
      process.env['GIT_SSH_COMMAND'] = script(root, 'echo "git@example.invalid: Permission denied (publickey)." >&2; exit 255');
      const hub = openGitHub({ gitDir, url: 'ssh://git:hidden-word@example.invalid/x.git' });
      const error = await hub.list().catch((cause: unknown) => cause);
      expect(error).toMatchObject({ code: 'hub-denied' });
      expect(JSON.stringify([error, String(error), hub.url])).not.toContain('hidden-word');
      expect(await hub.push([{ ref: 'refs/heads/main', expect: null, to: writeCommit(clone, 'x') }])).toMatchObject({ kind: 'unknown' });
    });
  });
});

const a = (flag: string, summary: string) => `${flag}\t1:refs/x/a\t${summary}`;
const b = (flag: string, summary: string) => `${flag}\t1:refs/x/b\t${summary}`;

describe('the words of git', () => {
  const updates = ['a', 'b'].map((name) => ({ ref: `refs/x/${name}`, expect: null, to: '1'.repeat(40) }));
  const outcome = (code: number, lines: readonly string[], stderr = '') =>
    pushOutcome({ code, stdout: ['To hub', ...lines, 'Done', ''].join('\n'), stderr, timedOut: false }, updates, 'hub');

  it.each([
    ['all moved', 0, [a('*', '[new reference]'), b('+', '1..2 (forced update)')], '', 'accepted', undefined],
    ['one stood already', 0, [a('=', '[up to date]'), b(' ', '1..2')], '', 'accepted', undefined],
    ['one is not reported', 0, [a('*', '[new reference]')], '', 'unknown', undefined],
    ['a stale lease', 1, [a('!', '[rejected] (stale info)'), b('!', '[rejected] (atomic push failed)')], '', 'refused', false],
    ['a stale lease beside one that stood', 1, [a('!', '[rejected] (stale info)'), b('=', '[up to date]')], '', 'refused', false],
    ['a mixture that atomic excludes', 1, [a('!', '[remote rejected] (x)'), b('*', '[new reference]')], '', 'unknown', undefined],
    ['no word about one', 1, [a('!', '[remote rejected] (x)'), b('!', '[remote failure] (remote failed to report status)')], '', 'unknown', undefined],
    ['a lock', 1, [a('!', '[remote rejected] (atomic transaction failed)'), b('!', '[remote rejected] (atomic transaction failed)')], 'remote: error: cannot lock ref', 'refused', false],
    ['a rename that failed', 1, [a('!', '[remote rejected] (atomic transaction failed)'), b('!', '[remote rejected] (atomic transaction failed)')], "remote: error: couldn't set 'refs/x/a'", 'unknown', undefined],
    ['a hook', 1, [a('!', '[remote rejected] (pre-receive hook declined)'), b('!', '[remote rejected] (pre-receive hook declined)')], '', 'refused', true],
    ['a protected branch', 1, [a('!', '[remote rejected] (protected branch hook declined)'), b('!', '[remote rejected] (atomic push failure)')], '', 'refused', true],
    ['no rewinds allowed', 1, [a('!', '[remote rejected] (non-fast-forward)'), b('!', '[remote rejected] (atomic push failure)')], '', 'refused', true],
    ['a full disk', 1, [a('!', '[remote rejected] (unpacker error)'), b('!', '[remote rejected] (unpacker error)')], 'remote: fatal: write error: No space left on device', 'unknown', undefined],
    ['a size limit', 1, [a('!', '[remote rejected] (unpacker error)'), b('!', '[remote rejected] (unpacker error)')], 'remote: fatal: pack exceeds maximum allowed size', 'refused', true],
    ['a hub without atomic pushes', 128, [], 'fatal: the receiving end does not support --atomic push', 'refused', true],
    ['a lost connection', 128, [], 'fatal: the remote end hung up unexpectedly', 'unknown', undefined],
    ['a refusal that git did not survive', 128, [a('!', '[remote rejected] (x)'), b('!', '[remote rejected] (x)')], '', 'unknown', undefined],
    ['a signal', -1, [a('*', '[new reference]'), b('*', '[new reference]')], '', 'unknown', undefined],
  ] as const)('%s', (_, code, lines, stderr, kind, policy) => {
    const found = outcome(code, lines, stderr);
    expect([found.kind, 'policy' in found ? found.policy : undefined]).toEqual([kind, policy]);
  });

  it('what git said at the end of its time is not believed', () => {
    const stdout = [a('*', '[new reference]'), b('*', '[new reference]')].join('\n');
    expect(pushOutcome({ code: 0, stdout, stderr: '', timedOut: true }, updates, 'hub').kind).toBe('unknown');
  });

  it.each([
    ['https://user:pa55word@example.org/x.git', 'https://example.org/x.git'],
    ['https://ghp_0123456789@example.org/x.git', 'https://example.org/x.git'],
    ['https://u:p@ss@example.org/x.git', 'https://example.org/x.git'],
    ['https://example.org/x.git?private_token=abcdef', 'https://example.org/x.git?…'],
    ['ssh://git:pa55word@example.org/x.git', 'ssh://git@example.org/x.git'],
    ['git@example.org:x.git', 'git@example.org:x.git'],
    ['/srv/hub.git', '/srv/hub.git'],
  ])('%s is shown as %s', (url, shown) => {
    expect(redact(url, url)).toBe(shown);
    expect(redact(`fatal: unable to access '${url}': gone`, url)).toBe(`fatal: unable to access '${shown}': gone`);
  });

  it('a secret is not shown decoded either', () => {
    expect(redact('no entry for p@ss/word', 'https://u:p%40ss%2Fword@example.org/x')).toBe('no entry for ***');
  });

  it.each([
    ['fatal: repository \'http://h/x.git/\' not found', 'hub-away'],
    ['ssh: Could not resolve hostname h: Name or service not known', 'hub-away'],
    ['fatal: unable to access \'http://h/\': Failed to connect to h port 1: Connection refused', 'hub-away'],
    ['fatal: \'/x\' does not appear to be a git repository\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights', 'hub-away'],
    ['fatal: Authentication failed for \'http://h/\'', 'hub-denied'],
    ['fatal: could not read Username for \'http://h\': terminal prompts disabled', 'hub-denied'],
    ['fatal: unable to access \'http://h/\': The requested URL returned error: 403', 'hub-denied'],
    ['Host key verification failed.\nfatal: Could not read from remote repository.', 'hub-denied'],
    ['error: unable to write file: No space left on device', 'disk-full'],
    ['remote: No space left on device', 'hub-away'],
  ])('%s is %s', (stderr, code) => {
    expect(hubFailure({ code: 128, stdout: '', stderr, timedOut: false }, 'http://h/').code).toBe(code);
  });
});

describe('the boot probe', () => {
  const probe = (hub: Hub, clone: string, objectFormat: 'sha1' | 'sha256' = 'sha1') => probeHub({
    hub, node: 'vm-a', nonce: String(++made),
    store: {
      objectFormat,
      writeTree: async () => gitIn(clone, ['mktree']),
      writeCommit: async (draft) => gitIn(clone, ['commit-tree', draft.tree, '-m', draft.message]),
    },
  });

  it('a bare git repository is fit, and nothing of the probe is left on it', async () => {
    const { bare, clone, gitDir } = pair();
    gitIn(bare, ['update-ref', 'refs/cambium/probe/vm-a/a', writeCommit(bare, 'left by a crash')]);
    expect(await probe(openGitHub({ gitDir, url: bare }), clone)).toEqual({ fit: true });
    expect(refsOf(bare).size).toBe(0);
  });

  it('the embedded hub is fit', async () => {
    const { clone, gitDir } = pair();
    expect(await probe(openGitHub({ gitDir, url: await ensureEmbeddedHub(gitDir) }), clone)).toEqual({ fit: true });
  });

  it.each([
    ['without atomic pushes', 'hub-unfit', (bare: string) => gitIn(bare, ['config', 'receive.advertiseAtomic', 'false'])],
    ['that hides our refs', 'hub-unfit', (bare: string) => gitIn(bare, ['config', 'uploadpack.hideRefs', 'refs/cambium'])],
    ['that takes no refs of ours', 'hub-policy', (bare: string) => setHook(bare, 'pre-receive', 'exit 1')],
    ['that forbids deletions', 'hub-policy', (bare: string) => setHook(bare, 'update', 'test "$3" != 0000000000000000000000000000000000000000')],
    ['that forbids to replace', 'hub-policy', (bare: string) => setHook(bare, 'update', 'case $2$3 in *000000000000000000000000*) exit 0;; esac; git merge-base --is-ancestor $2 $3')],
  ])('a hub %s is unfit', async (_, code, spoil) => {
    const { bare, clone, gitDir } = pair();
    spoil(bare);
    const verdict = await probe(openGitHub({ gitDir, url: bare }), clone);
    expect(verdict).toMatchObject({ fit: false, code });
  });

  it('a hub that moves what it can of a refused push is unfit', async () => {
    const { bare, clone, gitDir } = pair();
    const honest = openGitHub({ gitDir, url: bare });
    const torn: Hub = {
      ...honest,
      push: async (updates) => {
        const whole = await honest.push(updates);
        if (whole.kind === 'refused') for (const update of updates) await honest.push([update]);
        return whole;
      },
    };
    expect(await probe(torn, clone)).toMatchObject({ fit: false, code: 'hub-unfit' });
    expect(refsOf(bare).size).toBe(0);
  });

  it.each([['empty', false], ['with refs', true]] as const)('a hub of another object format is unfit (%s)', async (_, filled) => {
    const [{ clone, gitDir }, other] = [pair(), pair('sha256')];
    if (filled) gitIn(other.bare, ['update-ref', 'refs/heads/main', writeCommit(other.bare, 'x')]);
    expect(await probe(openGitHub({ gitDir, url: other.bare }), clone)).toMatchObject({ fit: false, code: 'hub-unfit', reason: expect.stringContaining('object format') });
  });

  it('a hub that is away throws, for it may be fit', async () => {
    const { clone, gitDir } = pair();
    await expect(probe(openGitHub({ gitDir, url: '/nowhere/hub.git' }), clone)).rejects.toMatchObject({ code: 'hub-away' });
  });

  it('a sha256 fleet works', async () => {
    const { bare, clone, gitDir } = pair('sha256');
    expect(await probe(openGitHub({ gitDir, url: bare }), clone, 'sha256')).toEqual({ fit: true });
  });
});

describe('the clone a daemon runs in', () => {
  function filled() {
    const { root, bare } = pair();
    const first = writeCommit(bare, 'first', { files: { 'a.txt': 'a' } });
    gitIn(bare, ['update-ref', 'refs/heads/main', writeCommit(bare, 'second', { parents: [first] })]);
    gitIn(bare, ['config', 'uploadpack.allowFilter', 'true']);
    return { url: `file://${bare}`, path: join(root, 'second') };
  }

  it('a full clone is fit', async () => {
    const { url, path } = filled();
    cloneOf(url, path);
    expect(await checkClone({ gitDir: join(path, '.git'), url, remote: 'origin' })).toEqual({ fit: true });
    expect(await checkClone({ gitDir: join(path, '.git'), url })).toEqual({ fit: true });
  });

  it.each([['shallow', '--depth=1'], ['partial', '--filter=blob:none']])('a %s clone is refused', async (_, flag) => {
    const { url, path } = filled();
    cloneOf(url, path, [flag]);
    expect(await checkClone({ gitDir: join(path, '.git'), url, remote: 'origin' })).toMatchObject({ fit: false, code: 'hub-shallow' });
  });

  it.each([
    ['a push url', ['remote.origin.pushurl', 'https://u:hidden-word@example.org/x.git'], true],
    ['a second url', ['--add', 'remote.origin.url', '/elsewhere.git'], true],
    ['a rewritten push url', ['url.ssh://example.org/.pushInsteadOf', 'file:///'], false],
  ])('%s that differs from the fetch url is refused', async (_, setting, named) => {
    const { url, path } = filled();
    cloneOf(url, path);
    gitIn(path, ['config', ...setting]);
    const verdict = await checkClone({ gitDir: join(path, '.git'), url, ...(named ? { remote: 'origin' } : {}) });
    expect(verdict).toMatchObject({ fit: false, code: 'hub-unfit' });
    expect(JSON.stringify(verdict)).not.toContain('hidden-word');
  });
});

describe('the embedded hub', () => {
  it('is made once, however many make it at the same time', async () => {
    const { gitDir } = pair();
    const paths = await Promise.all(Array.from({ length: 4 }, () => ensureEmbeddedHub(gitDir)));
    expect(new Set(paths)).toEqual(new Set([join(gitDir, 'cambium', 'hub.git')]));
    await ensureEmbeddedHub(gitDir);
    expect(readdirSync(join(gitDir, 'cambium'))).toEqual(['hub.git']);
  });

  it('is whole or not there: what a crash left is swept away', async () => {
    const { gitDir } = pair();
    mkdirSync(join(gitDir, 'cambium', 'hub.new-crash', 'refs'), { recursive: true });
    const path = await ensureEmbeddedHub(gitDir);
    expect(readdirSync(join(gitDir, 'cambium'))).toEqual(['hub.git']);
    expect(gitIn(path, ['rev-parse', '--is-bare-repository'])).toBe('true');
  });

  it('has the object format of its clone, and keeps the history of every ref', async () => {
    const { clone, gitDir } = pair('sha256');
    const path = await ensureEmbeddedHub(gitDir);
    const [first, second] = [writeCommit(clone, 'first'), writeCommit(clone, 'second')];
    const hub = openGitHub({ gitDir, url: path });
    const ref = 'refs/cambium/nodes/vm-a';
    expect(await hub.push([{ ref, expect: null, to: first }])).toEqual({ kind: 'accepted' });
    expect(await hub.push([{ ref, expect: first, to: second }])).toEqual({ kind: 'accepted' });
    expect(gitIn(path, ['reflog', 'show', '--format=%H', ref]).split('\n')).toEqual([second, first]);
  });
});

function script(root: string, body: string): string {
  const path = join(root, 'ssh');
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}
