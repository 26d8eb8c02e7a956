/**
 * What git said about a hub, read into values. Pure. The rule (PROTOCOL P1, P2): only an answer *for every ref*
 * counts; anything else is unknown. Lines that begin with `remote:` are the hub's words, all others git's own.
 */
import { CambiumError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import type { RefUpdate } from '../../model/git.ts';
import type { PushOutcome } from '../../ports/hub.ts';

/** A finished git process. `timedOut` when we ended it; its exit code then means nothing. */
export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

interface RefReport {
  readonly flag: string;
  readonly summary: string;
  readonly reason: string;
}

/** Flags of `git push --porcelain` that mean "the ref stands at its new value". */
const GOOD_FLAGS = new Set([' ', '+', '-', '*', '=']);

/**
 * Reasons that a rule of the hub gives, as against a race. A wrong guess is safe in both directions: a race read
 * as policy parks the work with its reason shown, policy read as a race costs a few bounded retries.
 */
const POLICY = /hook declined|protected|den(?:y|ied|ying)|prohibited|not allowed|not permitted|refus|declined|forbidden|policy|rule violation|checked out|hidden|read[- ]only|archived|funny refname|non-fast-forward|pack exceeds|fsck|quota|limit exceeded/i;

/** The hub's own trouble: it answered, but what it answers may be untrue of what it did (a rename failed half-way). */
const HUB_TROUBLE = /No space left|Disk quota exceeded|Input\/output error|Read-only file system|couldn't (?:set|write)|unable to write/i;

/** Said by git itself, before anything is sent, and true until somebody mends the hub. */
const UNABLE = /^fatal: the receiving end does not support .*$|^fatal: mismatched algorithms.*$/m;

/** Said by the local pack-objects: an object of ours is missing or broken, so this push can never succeed. */
const OURS_MISSING = /^(?:fatal|error): (?:bad (?:tree )?object|unable to read(?: tree)?|(?:loose object|object file) \S*|missing \w+(?: object)?|Could not read|unable to parse(?: commit| object)?:?) \(?[0-9a-f]{40,64}\)?.*$/m;

/** `said` of a `git push --porcelain --atomic` of exactly these updates. Throws `object-missing` when an object of ours is. */
export function pushOutcome(said: Said, updates: readonly RefUpdate[], url: string): PushOutcome {
  const stderr = redact(said.stderr, url);
  if (said.timedOut) return { kind: 'unknown', detail: 'the hub did not answer in time' };
  refuseMissing(stderr);
  const unable = UNABLE.exec(stderr);
  if (unable !== null) return { kind: 'refused', policy: true, detail: unable[0].replace('fatal: ', '') };
  const reports = parseReports(said.stdout);
  const answers = updates.map((update) => reports.get(update.ref));
  if (said.code === 0 && answers.every((answer) => answer !== undefined && GOOD_FLAGS.has(answer.flag))) return { kind: 'accepted' };
  const rejected = answers.filter((answer) => answer?.flag === '!') as RefReport[];
  // A ref that stands already ("=") takes no part in the push, so it may stand beside refused ones; a moved one may not.
  const whole = answers.every((answer) => answer?.flag === '!' || answer?.flag === '=');
  if (said.code === 1 && whole && rejected.length > 0) return refusal(rejected, stderr);
  return { kind: 'unknown', detail: lastWords(stderr, said.code) };
}

function refuseMissing(stderr: string): void {
  const missing = OURS_MISSING.exec(stderr);
  if (missing === null) return;
  throw new CambiumError('object-missing', `git push: ${missing[0]}`, { hint: 'Run git fsck in this clone; fetch or clone again to repair it.' });
}

function refusal(answers: readonly RefReport[], stderr: string): PushOutcome {
  const remote = answers.filter((answer) => answer.summary === '[remote rejected]');
  const local = answers.filter((answer) => answer.summary === '[rejected]');
  const detail = describe(answers, stderr);
  // "[remote failure]" and whatever later versions add is no answer.
  if (remote.length + local.length !== answers.length) return { kind: 'unknown', detail };
  const hubWords = [...remote.map((answer) => answer.reason), ...remoteLines(stderr)].join('\n');
  if (remote.length > 0 && HUB_TROUBLE.test(stderr)) return { kind: 'unknown', detail };
  const policy = remote.length > 0 && POLICY.test(hubWords);
  if (remote.some((answer) => answer.reason.includes('unpacker error')) && !policy) return { kind: 'unknown', detail };
  return { kind: 'refused', detail, policy };
}

/** `<flag>\t<from>:<to>\t<summary>( (<reason>))?`; a ref name holds no colon and `from` is an oid, empty or "(delete)". */
function parseReports(stdout: string): Map<string, RefReport> {
  const reports = new Map<string, RefReport>();
  for (const line of stdout.split('\n')) {
    const found = /^([ +\-*=!])\t[^:\t]*:([^\t]+)\t(.*)$/.exec(line);
    if (found === null) continue;
    const [, flag = '', ref = '', rest = ''] = found;
    const words = /^(\[[^\]]*\]|\S+)(?: \((.*)\))?$/.exec(rest);
    reports.set(ref, { flag, summary: words?.[1] ?? rest, reason: words?.[2] ?? '' });
  }
  return reports;
}

/** The reasons, once each, then what the hub said. With atomic most refs only repeat that another one failed. */
function describe(answers: readonly RefReport[], stderr: string): string {
  const reasons = [...new Set(answers.map((answer) => `${answer.summary} ${answer.reason}`.trim()))];
  const telling = reasons.filter((reason) => !/atomic push fail/.test(reason));
  return clip([...(telling.length === 0 ? reasons : telling), ...remoteLines(stderr).slice(0, 8)].join('; '));
}

function remoteLines(stderr: string): string[] {
  return stderr.split('\n').filter((line) => line.startsWith('remote: ')).map((line) => line.slice('remote: '.length).trim()).filter((line) => line !== '');
}

/** The end of what git said, for a person: the advice lines that git repeats after every failure are left out. */
function lastWords(stderr: string, code: number): string {
  const lines = stderr.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !/^(?:Please make sure|and the repository exists|error: failed to push some refs|Everything up-to-date)/.test(line));
  return clip(lines.length === 0 ? `git ended with ${code}` : lines.slice(-4).join('; '));
}

const clip = (text: string): string => (text.length > 600 ? `${text.slice(0, 599)}…` : text);

const DENIED = /Permission denied|Authentication failed|could not read (?:Username|Password)|Access denied|not authorized|unauthorized|returned error: 40[13]|Host key verification failed|dubious ownership/i;

/** Why a list or a fetch failed. `hub-denied` when we were turned away, otherwise `hub-away`: trying later may help. */
export function hubFailure(said: Said, url: string): CambiumError {
  const stderr = redact(said.stderr, url);
  const shown = redact(url, url);
  const data = { url: shown, stderr: clip(stderr) };
  const local = localFailure(stderr);
  if (local !== null) return new CambiumError(local.code, `git fetch from ${shown}: ${lastWords(stderr, said.code)}`, { hint: local.hint, data });
  if (!said.timedOut && DENIED.test(stderr)) {
    return new CambiumError('hub-denied', `The hub ${shown} turned us away: ${lastWords(stderr, said.code)}`, { hint: deniedHint(stderr, shown), data });
  }
  const why = said.timedOut ? 'no answer in time' : lastWords(stderr, said.code);
  return new CambiumError('hub-away', `The hub ${shown} cannot be reached: ${why}`, { hint: `Check with: git ls-remote ${shown}. The node goes on by itself when the hub is back.`, data });
}

function localFailure(stderr: string): { readonly code: ErrorCode; readonly hint: string } | null {
  const own = stderr.split('\n').filter((line) => !line.startsWith('remote: ')).join('\n');
  if (/No space left on device|Disk quota exceeded/.test(own)) return { code: 'disk-full', hint: 'Free some space; the node goes on by itself.' };
  if (/fsck error|is corrupt|hash mismatch|COLLISION|did not send all necessary objects/.test(own)) {
    return { code: 'object-corrupt', hint: 'Run git fsck in this clone and on the hub.' };
  }
  return null;
}

function deniedHint(stderr: string, shown: string): string {
  if (/Host key verification/.test(stderr)) return 'Connect once by hand with ssh to check and accept the host key.';
  if (/dubious ownership/.test(stderr)) return 'The repository belongs to another user: git config --global --add safe.directory <its path>.';
  return `Give git the credentials it needs (ssh key or credential helper) and check with: git ls-remote ${shown}`;
}

/** True when git or the hub said that a ref or its commit is not there to be fetched any more. */
export function saysGone(stderr: string): boolean {
  return /couldn't find remote ref|not our ref|unadvertised object/.test(stderr);
}

/**
 * The text without credentials: user and password of any http(s) or ftp address (tokens stand in either place),
 * passwords of the others (the ssh user is no secret), query strings, and the secrets of `url` wherever they occur.
 */
export function redact(text: string, url: string): string {
  const bare = secretsOf(url).reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
  return bare
    .replace(/\b((?:https?|ftps?):\/\/)[^/\s'"]*@/gi, '$1')
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/[^/@:\s'"]+):[^/\s'"]*@/gi, '$1@')
    .replace(/(https?:\/\/[^\s'"?]+)\?(?!service=git-)[^\s'"]*/gi, '$1?…');
}

/** User and password of a url, raw and decoded; for ssh the password only. Short ones would blank out innocent text. */
function secretsOf(url: string): string[] {
  const found = /^([a-z][a-z0-9+.-]*):\/\/([^/]*)@/i.exec(url);
  if (found === null) return [];
  const [, scheme = '', userinfo = ''] = found;
  const [user = '', ...rest] = userinfo.split(':');
  const parts = /^(?:https?|ftps?)$/i.test(scheme) ? [user, rest.join(':')] : [rest.join(':')];
  return parts.flatMap((secret) => [secret, decoded(secret)]).filter((secret) => secret.length >= 6);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
