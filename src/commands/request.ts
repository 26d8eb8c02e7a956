/** `cambium request` and `cambium request list`. */
import { readInput } from '../adapters/system/files.ts';
import { CambiumError } from '../errors.ts';
import { plain } from '../workspace/plain.ts';
import { askRequest, isOpenRequest, listRequests, requestNews } from '../workspace/requests.ts';
import type { RequestSummary } from '../workspace/requests.ts';
import { daemonRuns, withSession } from '../workspace/session.ts';
import { untilSeen } from '../workspace/untilSeen.ts';
import { paint } from './output.ts';
import type { Answer } from './output.ts';

export interface RequestOptions {
  readonly to?: string | undefined;
  /** Milliseconds; true is an hour. */
  readonly wait?: number | true | undefined;
  readonly json: boolean;
}

const WAIT_MS = 3_600_000;

/** `-` reads the text from standard input. With `wait`, exit 0: done; 1: it needs a person, or has failed; 75: time is up. */
export async function requestCommand(given: string | undefined, { to, wait, json }: RequestOptions): Promise<Answer> {
  if (given === undefined) throw new CambiumError('usage', 'What is to be done?', { hint: 'cambium request "Build a small web API with /hello and /time, with tests", or `cambium request list`.' });
  const text = given === '-' ? await readInput('-') : given;
  const asked = await withSession({ needsHub: true }, async (session) => ({ ...(await askRequest(session, text, to)), daemon: await daemonRuns(session.clone) }));
  const head = `${asked.agent} is asked: ${asked.path}${asked.daemon ? '' : '\n  No daemon runs in this clone, so the node that runs it answers (or start one: `cambium up`).'}`;
  if (wait === undefined) return { data: asked, text: `${head}\n  See how it stands with \`cambium request list\`.` };
  if (!json) process.stdout.write(`${plain(head)}\n`);
  const request = await follow(asked.id, wait === true ? WAIT_MS : wait, json ? () => undefined : (line) => void process.stdout.write(`${plain(line).replaceAll('\n', '\n  ')}\n`));
  return { data: { ...asked, request }, text: endText(request), exit: request === null || isOpenRequest(request) ? 75 : request.state === 'done' ? 0 : 1 };
}

/** Tells what happens to a request until nothing more does without a person, or the time is up. */
async function follow(id: string, forMs: number, tell: (line: string) => void): Promise<RequestSummary | null> {
  let last: RequestSummary | null = null;
  await untilSeen(forMs, async (session) => {
    const now = (await listRequests(session)).find((request) => request.id === id);
    if (now === undefined) return null;
    for (const line of requestNews(last, now)) tell(line);
    last = now;
    return isOpenRequest(now) ? null : now;
  });
  return last;
}

function endText(request: RequestSummary | null): string {
  if (request === null || isOpenRequest(request)) return 'Time is up; it goes on without you: see `cambium request list`.';
  if (request.state === 'done') return `Done: ${countText(request.tasks)}.`;
  return plain(`${request.state === 'input' ? 'It waits for you' : 'It is stuck'}${request.reason === null ? '' : `: ${request.reason}`}\n  → ${mendOf(request)}`);
}

/** A coordinator may call it done although a task has failed: another has taken its place, or nothing could be done. */
function countText(tasks: RequestSummary['tasks']): string {
  const count = (state: string): number => tasks.filter((task) => task.state === state).length;
  const others = ['failed', 'cancelled'].filter((state) => count(state) > 0).map((state) => `${count(state)} ${state}`);
  return [`${count('done')} task${count('done') === 1 ? '' : 's'}`, ...others].join(', ');
}

function mendOf({ id, agent, state }: RequestSummary): string {
  const say = `\`cambium message send "…" --to ${agent} --reply-to ${id}\``;
  return state === 'input' ? `Answer with \`cambium answer <task> "…"\`, or tell ${agent} more: ${say}` : `Go on with ${say}`;
}

export function requestsCommand(): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const requests = await listRequests(session);
    return { data: { requests }, text: requests.length === 0 ? 'Nothing was asked for yet. Begin: `cambium request "Build a small web API with tests"`' : requests.map(requestText).join('\n') };
  });
}

function requestText(request: RequestSummary): string {
  const { id, agent, from, at, text, state, reason, tasks, words } = request;
  const ended = tasks.filter((task) => ['done', 'failed', 'cancelled'].includes(task.state)).length;
  const lines = [
    `${state}${reason === null || state === 'asked' ? '' : `: ${reason}`}`,
    `  ${from.replace(/^human:/, '')} asked ${agent} at ${at.slice(0, 19).replace('T', ' ')}: ${oneLine(text)}`,
    ...(tasks.length === 0 ? [] : [`  ${ended} of ${tasks.length} tasks ended: ${tasks.map((task) => `${task.id} ${task.state}`).join(', ')}`]),
    ...(words.length === 0 ? [] : [`  ${agent}: ${oneLine(words.at(-1)?.text ?? '')}`]),
    ...(state === 'failed' || state === 'input' ? [`  → ${mendOf(request)}`] : []),
  ];
  return `${paint(plain(id), 1)}  ${plain(lines.join('\n'))}`;
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 160 ? `${line.slice(0, 159)}…` : line;
}
