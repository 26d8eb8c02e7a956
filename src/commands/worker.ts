/** `cambium worker register|heartbeat|continue|list`: sessions of agents that no daemon started. */
import { withSession } from '../workspace/session.ts';
import { agentOf } from '../workspace/session.ts';
import { activeWorkers, heartbeat, registerWorker, shouldWorkerContinue } from '../workspace/workers.ts';
import { table } from './output.ts';
import { plain } from '../workspace/plain.ts';
import type { Answer } from './output.ts';

export interface WorkerOptions {
  readonly node?: string | undefined;
  readonly capabilities?: string | undefined;
  readonly role?: string | undefined;
}

export function registerCommand(id: string | undefined, { node, capabilities, role }: WorkerOptions): Promise<Answer> {
  return withSession({ node, needsHub: true }, async (session) => {
    const worker = agentOf(session, id);
    const list = capabilities?.split(',').map((part) => part.trim()).filter((part) => part !== '') ?? [];
    const data = await registerWorker(session, worker, { capabilities: list, ...(role === undefined ? {} : { role }) });
    return { data, text: data.commit === null ? `${worker} is in the roster already.` : `${worker} has joined.` };
  });
}

export function heartbeatCommand(id: string | undefined, { node }: WorkerOptions): Promise<Answer> {
  return withSession({ node, needsHub: true }, async (session) => {
    const data = await heartbeat(session, agentOf(session, id));
    const lines = [...data.renewed.map(({ task, epoch, ttl_s }) => `${task} is renewed for ${ttl_s} s (epoch ${epoch}).`), ...data.lost.map(({ task, epoch }) => `${task} is no longer yours (epoch ${epoch}): stop working on it.`)];
    return { data, text: lines.length === 0 ? 'Nothing is held here: there is nothing to renew.' : lines.join('\n'), exit: data.lost.length > 0 ? 1 : 0 };
  });
}

/** Exit 0 go on, 3 end the session. */
export function continueCommand(id: string | undefined, { node, maxIdleMs }: WorkerOptions & { readonly maxIdleMs?: number | undefined }): Promise<Answer> {
  return withSession({ node, needsHub: false }, async (session) => {
    const data = await shouldWorkerContinue(session, agentOf(session, id), ...(maxIdleMs === undefined ? [] : [maxIdleMs / 60_000]));
    return { data, text: `${data.continue ? 'Go on' : 'Stop'}: ${data.reason}.`, exit: data.continue ? 0 : 3 };
  });
}

export function workersCommand(): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const workers = await activeWorkers(session);
    const rows = workers.map(({ id, role, provider, node, status, tasks, last_active: at }) => [id, status, `${role} (${provider})`, node ?? '', tasks.join(', '), at === null ? '' : `last active ${at}`].map(plain));
    return { data: { workers }, text: rows.length === 0 ? 'Nobody takes part yet.' : table(rows) };
  });
}
