/**
 * Real transports on loopback: a throw-away sshd, and smart HTTP by git http-backend behind a small server. Every
 * server gets a free port and ends with close(); nothing of the person's ssh or git configuration is used or changed.
 */
import { spawn, execFileSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createConnection, createServer as createNetServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { userInfo } from 'node:os';
import { gitIn, tempDir } from './repo.ts';
import type { Transport } from './repo.ts';

export interface Server {
  /** Address of the bare repository at this absolute path. */
  url(bare: string): string;
  close(): Promise<void>;
}

const SSHD = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/opt/homebrew/sbin/sshd'].find((path) => existsSync(path));
/** The folder that an sshd started by root insists on. */
const PRIVSEP = '/run/sshd';

/** False where no OpenSSH server is installed: its tests are then skipped. */
export const hasSshd = SSHD !== undefined;

export interface Sshd extends Server {
  /** An ssh command line that knows the key, the host and nothing of the person's configuration: for core.sshCommand or GIT_SSH_COMMAND. */
  readonly command: string;
}

/** An sshd of our own user on a free port of 127.0.0.1. */
export async function startSshd(): Promise<Sshd> {
  if (SSHD === undefined) throw new Error('no sshd on this machine');
  const dir = tempDir('sshd');
  const port = await freePort();
  const madePrivsep = ensurePrivsep();
  const command = writeSshFiles(dir.path, port);
  const child = spawn(SSHD, ['-D', '-e', '-f', join(dir.path, 'sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => { log += chunk.toString(); });
  await untilListening(port, child, () => log);
  return {
    command,
    url: (bare) => `ssh://${userInfo().username}@127.0.0.1:${port}${bare}`,
    close: async () => {
      await ended(child);
      if (madePrivsep) removeQuietly(PRIVSEP);
      dir.remove();
    },
  };
}

function writeSshFiles(dir: string, port: number): string {
  for (const name of ['host', 'user']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', join(dir, name)]);
  const hostKey = readFileSync(join(dir, 'host.pub'), 'utf8').split(' ').slice(0, 2).join(' ');
  const file = (name: string, lines: readonly string[]): string => {
    writeFileSync(join(dir, name), `${lines.join('\n')}\n`, { mode: 0o600 });
    return join(dir, name);
  };
  file('known', [`[127.0.0.1]:${port} ${hostKey}`]);
  file('authorized', [readFileSync(join(dir, 'user.pub'), 'utf8').trim()]);
  file('sshd_config', [
    'ListenAddress 127.0.0.1', `Port ${port}`, `HostKey ${join(dir, 'host')}`, `AuthorizedKeysFile ${join(dir, 'authorized')}`, `PidFile ${join(dir, 'pid')}`,
    'StrictModes no', 'UsePAM no', 'PasswordAuthentication no', 'KbdInteractiveAuthentication no', 'PermitRootLogin prohibit-password', 'MaxStartups 100',
  ]);
  const config = file('config', [
    'Host *', `  IdentityFile ${join(dir, 'user')}`, '  IdentitiesOnly yes', `  UserKnownHostsFile ${join(dir, 'known')}`, '  GlobalKnownHostsFile /dev/null',
    '  StrictHostKeyChecking yes', '  BatchMode yes', '  ConnectTimeout 10',
  ]);
  return `ssh -F ${config}`;
}

function ensurePrivsep(): boolean {
  if (process.getuid?.() !== 0 || existsSync(PRIVSEP)) return false;
  mkdirSync(PRIVSEP, { mode: 0o755 });
  return true;
}

function removeQuietly(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Another sshd uses it by now.
  }
}

/** Clones reach the hub by ssh; `cut` ends the server. */
export async function sshTransport(): Promise<Transport> {
  const sshd = await startSshd();
  return {
    url: sshd.url,
    prepare: (clone) => void gitIn(clone, ['config', 'core.sshCommand', sshd.command]),
    cut: sshd.close,
    close: sshd.close,
  };
}

/**
 * What happens to one request: `drop-request` closes the connection when its body has come in, before git sees it;
 * `drop-reply` when git has done all the work; `stall` never answers.
 */
export type HttpFault = 'ok' | 'drop-request' | 'drop-reply' | 'stall';

export interface GitHttpOptions {
  /** Waited before every answer. */
  readonly delayMs?: number;
  /** Basic authentication that every request must bear. */
  readonly auth?: { readonly user: string; readonly password: string };
}

export interface GitHttp extends Server {
  /** The address with a user and password in it. */
  urlWith(bare: string, credentials: string): string;
  /** Asked for every push (the POST to git-receive-pack); set it to make the hub fail. */
  onPush: (() => HttpFault) | undefined;
  /** Requests so far, as `GET /hub.git/info/refs?service=git-upload-pack`. */
  readonly requests: readonly string[];
}

/** Serves the bare repositories below `root` (an absolute path) by smart HTTP on a free port of 127.0.0.1. */
export async function startGitHttp(root: string, options: GitHttpOptions = {}): Promise<GitHttp> {
  const requests: string[] = [];
  const running = new Set<ChildProcess>();
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    void answer(request, response).catch(() => response.destroy());
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    if (!authorised(request, options.auth)) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
      return;
    }
    const push = request.method === 'POST' && (request.url ?? '').endsWith('/git-receive-pack');
    const fault = push ? (http.onPush?.() ?? 'ok') : 'ok';
    if (fault === 'stall') return;
    if (fault === 'drop-request') return void response.destroy();
    const reply = await runBackend(root, request, body, running);
    if (options.delayMs !== undefined) await wait(options.delayMs);
    if (fault === 'drop-reply') return void response.destroy();
    response.writeHead(reply.status, reply.headers).end(reply.body);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const below = (bare: string): string => {
    if (!bare.startsWith(`${root}/`)) throw new Error(`${bare} is not below ${root}`);
    return `127.0.0.1:${port}${bare.slice(root.length)}`;
  };
  const http: GitHttp = {
    url: (bare) => `http://${below(bare)}`,
    urlWith: (bare, credentials) => `http://${credentials}@${below(bare)}`,
    onPush: undefined,
    requests,
    close: async () => {
      for (const child of running) child.kill('SIGKILL');
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
  return http;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function authorised(request: IncomingMessage, auth: GitHttpOptions['auth']): boolean {
  if (auth === undefined) return true;
  return request.headers.authorization === `Basic ${Buffer.from(`${auth.user}:${auth.password}`).toString('base64')}`;
}

interface Reply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** One run of git http-backend, as a CGI host does it. */
function runBackend(root: string, request: IncomingMessage, body: Buffer, running: Set<ChildProcess>): Promise<Reply> {
  const { pathname, search } = new URL(request.url ?? '/', 'http://127.0.0.1');
  const header = (name: string): string => String(request.headers[name] ?? '');
  const env = {
    ...process.env, GIT_PROJECT_ROOT: root, GIT_HTTP_EXPORT_ALL: '1', PATH_INFO: decodeURIComponent(pathname), QUERY_STRING: search.slice(1),
    REQUEST_METHOD: request.method ?? 'GET', CONTENT_TYPE: header('content-type'), CONTENT_LENGTH: String(body.length),
    HTTP_CONTENT_ENCODING: header('content-encoding'), GIT_PROTOCOL: header('git-protocol'), REMOTE_ADDR: '127.0.0.1', REMOTE_USER: 'test',
  };
  return new Promise((resolve, reject) => {
    const child = spawn('git', ['http-backend'], { env, stdio: ['pipe', 'pipe', 'ignore'] });
    running.add(child);
    const out: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stdin.on('error', () => undefined);
    child.on('error', reject);
    child.on('close', () => {
      running.delete(child);
      resolve(parseReply(Buffer.concat(out)));
    });
    child.stdin.end(body);
  });
}

function parseReply(output: Buffer): Reply {
  const end = output.indexOf('\r\n\r\n');
  if (end < 0) return { status: 500, headers: {}, body: Buffer.from('the backend ended without an answer') };
  const headers: Record<string, string> = {};
  for (const line of output.subarray(0, end).toString('latin1').split('\r\n')) {
    const at = line.indexOf(':');
    headers[line.slice(0, at).toLowerCase()] = line.slice(at + 1).trim();
  }
  const status = Number.parseInt(headers['status'] ?? '200', 10);
  delete headers['status'];
  return { status, headers, body: output.subarray(end + 4) };
}

/** Clones reach the hub by smart HTTP; `root` must hold the bare repository. */
export async function httpTransport(root: string, options: GitHttpOptions = {}): Promise<Transport & { readonly http: GitHttp }> {
  const http = await startGitHttp(root, options);
  const { auth } = options;
  const helper = auth === undefined ? null : writeHelper(root, auth.user, auth.password);
  return {
    http,
    url: http.url,
    prepare: (clone) => {
      if (helper === null) return;
      // The empty value forgets the helpers of the person who runs the tests.
      gitIn(clone, ['config', '--add', 'credential.helper', '']);
      gitIn(clone, ['config', '--add', 'credential.helper', helper]);
    },
    cut: http.close,
    close: http.close,
  };
}

/** A credential helper that knows one user; an absolute path, so git runs it as it is. */
function writeHelper(root: string, user: string, password: string): string {
  mkdirSync(root, { recursive: true });
  const path = join(root, 'credential-helper');
  writeFileSync(path, `#!/bin/sh\nif test "$1" = get; then echo username=${user}; echo password=${password}; fi\n`);
  chmodSync(path, 0o755);
  return path;
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createNetServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

async function untilListening(port: number, child: ChildProcess, log: () => string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) throw new Error(`the server ended: ${log()}`);
    if (await connects(port)) return;
    await wait(25);
  }
  throw new Error(`nothing listens on ${port}: ${log()}`);
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.on('connect', () => { socket.destroy(); resolve(true); });
    socket.on('error', () => resolve(false));
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const end = new Promise((resolve) => { child.once('exit', resolve); });
  child.kill('SIGTERM');
  await end;
}
