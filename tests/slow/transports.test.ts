import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openGitHub } from '../../src/adapters/git/hub.ts';
import { hubContract } from '../contracts/hub.ts';
import { gitHubWorld, makeBareHub, makeClone, refsOf, tempDir, writeCommit } from '../support/repo.ts';
import { hasSshd, httpTransport, sshTransport, startGitHttp } from '../support/transports.ts';
import type { GitHttp } from '../support/transports.ts';

const dir = tempDir('transports');
afterAll(() => dir.remove());

async function httpWorld(name: string, auth?: { user: string; password: string }) {
  const root = join(dir.path, name);
  return gitHubWorld(root, await httpTransport(root, auth === undefined ? {} : { auth }));
}

hubContract('git over a path, with very many refs', () => gitHubWorld(join(dir.path, 'path'), { url: (bare) => bare }));
hubContract('git over file://', () => gitHubWorld(join(dir.path, 'file'), { url: (bare) => `file://${bare}` }), { many: 50 });
hubContract('git over smart http', () => httpWorld('http'));
hubContract('git over smart http with a credential helper', () => httpWorld('auth', { user: 'node', password: 'correct-horse' }), { many: 300 });
describe.skipIf(!hasSshd)('ssh', () => {
  hubContract('git over ssh', async () => gitHubWorld(join(dir.path, 'ssh'), await sshTransport()));
});

describe('a smart http hub that fails', () => {
  const root = join(dir.path, 'failing');
  const auth = { user: 'node', password: 'correct-horse' };
  let http: GitHttp;
  let bare: string;
  let clone: string;
  let made = 0;
  beforeAll(async () => {
    mkdirSync(root);
    bare = makeBareHub(join(root, 'hub.git'));
    http = await startGitHttp(root, { auth });
    clone = makeClone(join(root, 'clone'), http.url(bare));
  });
  afterAll(() => http.close());
  const hubWith = (credentials: string, pushTimeoutMs = 60_000) => openGitHub({ gitDir: join(clone, '.git'), url: http.urlWith(bare, credentials), pushTimeoutMs });
  const fresh = () => [{ ref: `refs/cambium/claims/f${++made}`, expect: null, to: writeCommit(clone, `f${made}`) }];

  it.each([['drop-request', 0], ['drop-reply', 1]] as const)('%s: the push is unknown, and repeating it is accepted', async (fault, moved) => {
    const [hub, updates, before] = [hubWith('node:correct-horse'), fresh(), refsOf(bare).size];
    http.onPush = () => fault;
    expect(await hub.push(updates)).toMatchObject({ kind: 'unknown' });
    http.onPush = undefined;
    expect(refsOf(bare).size - before).toBe(moved);
    expect(await hub.push(updates)).toEqual({ kind: 'accepted' });
  });

  it('a hub that never answers leaves the push unknown after its time, and the transport helper does not live on', async () => {
    http.onPush = () => 'stall';
    expect(await hubWith('node:correct-horse', 1_500).push(fresh())).toMatchObject({ kind: 'unknown' });
    http.onPush = undefined;
    await expect.poll(() => speakingOf(http.url(bare).replace('http://', ''))).toEqual([]);
  });

  it('wrong credentials are hub-denied, and no text shows them', async () => {
    const hub = hubWith('node:wrong-battery');
    const error = await hub.list().catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'hub-denied' });
    const outcome = await hub.push(fresh());
    expect(outcome).toMatchObject({ kind: 'unknown' });
    expect(JSON.stringify([error, String(error), outcome, hub.url])).not.toContain('wrong-battery');
  });

  it('a repository that is not there is hub-away', async () => {
    const hub = openGitHub({ gitDir: join(clone, '.git'), url: http.urlWith(join(root, 'none.git'), 'node:correct-horse') });
    await expect(hub.list()).rejects.toMatchObject({ code: 'hub-away' });
  });
});

describe.skipIf(!hasSshd)('ssh to a host that accepts and says nothing', () => {
  it('a list gives up after its time and leaves no ssh behind', async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => void sockets.add(socket));
    await new Promise<void>((resolve) => { silent.listen(0, '127.0.0.1', resolve); });
    const { port } = silent.address() as AddressInfo;
    const clone = makeClone(join(dir.path, 'silent'), 'unused');
    const hub = openGitHub({ gitDir: join(clone, '.git'), url: `ssh://nobody@127.0.0.1:${port}/x.git`, listTimeoutMs: 1_000, pushTimeoutMs: 1_000 });
    await expect(hub.list()).rejects.toMatchObject({ code: 'hub-away' });
    expect(await hub.push([{ ref: 'refs/heads/main', expect: null, to: writeCommit(clone, 'x') }])).toMatchObject({ kind: 'unknown' });
    await expect.poll(() => speakingOf(String(port))).toEqual([]);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => { silent.close(resolve); });
  });
});

/** Command lines of this machine that hold the text, whoever their parent is by now. */
function speakingOf(text: string): string[] {
  return execFileSync('ps', ['-A', '-o', 'args='], { encoding: 'utf8' }).split('\n').filter((line) => line.includes(text));
}
