/** What the daemon says to a person. */
import type { Loop } from '../cycle/loop.ts';
import type { Clone } from '../workspace/clone.ts';
import type { Oid } from '../model/ids.ts';
import type { Fleet } from '../model/snapshot.ts';
import { orient } from '../orient/situation.ts';
import { paint } from './output.ts';
import { plain } from '../workspace/plain.ts';
import { quarantineText } from './taskShow.ts';

export function eventLine(at: Date, event: string, fields: Readonly<Record<string, unknown>>, json: boolean): string {
  if (json) return JSON.stringify({ at: at.toISOString(), event, ...fields });
  const told = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined).map(([key, value]) => `${paint(key, 2)} ${plain(String(value)).replace(/\s+/g, ' ').trim()}`);
  return `${paint(at.toISOString().slice(11, 19), 2)}  ${event.padEnd(14)} ${told.join('  ')}`.trimEnd();
}

export function describeStart(clone: Clone, loop: Loop): string {
  const hub = clone.remote === null ? 'an embedded hub (no remote joined yet)' : clone.hub.url;
  const agents = loop.agents().map(({ id, provider }) => `${id} (${provider})`).join(', ');
  return `cambium ${clone.version} · node ${paint(loop.shop.node.identity.node, 1)} · hub: ${hub}\nagents: ${agents === '' ? 'none on this node' : agents}\n`;
}

export interface Rest {
  /** Tasks that ended since this was last told. */
  readonly ended: ReadonlySet<string>;
  /** Main when this was last told: the commits since then are shown. */
  readonly since: Oid;
}

const COMMITS_MAX = 12;

/** Where things stand when nothing is left to do: what was done, the commits made, what to do next. */
export async function describeRest(clone: Clone, loop: Loop, { ended, since }: Rest): Promise<string> {
  const { fleet, checkout } = loop.state;
  if (fleet === null) return '';
  const made = fleet.main.commit === since ? [] : await clone.store.log(fleet.main.commit, { not: [since], limit: COMMITS_MAX + 1, firstParent: true });
  const shown = made.slice(0, COMMITS_MAX).map(({ oid, message }) => `  ${paint(oid.slice(0, 8), 33)} ${plain(message.split('\n')[0] ?? '')}`);
  const quarantined = [...fleet.quarantine, ...checkout.held];
  const notes = [...(checkout.blocked === null ? [] : [`your checkout is left alone: ${checkout.blocked}`]), ...checkout.notes];
  return [
    '', ended.size === 0 ? `All quiet: nothing is ready.${stuckText(loop)}` : `All quiet: ${ended.size} ${ended.size === 1 ? 'task has' : 'tasks have'} ended.${stuckText(loop)}`,
    ...[...ended].map((task) => resultLine(fleet, task)),
    ...(shown.length === 0 ? [] : ['', `Commits made on ${clone.branch}:`, ...shown, ...(made.length > COMMITS_MAX ? ['  … see `cambium log`'] : [])]),
    ...quarantineText(quarantined), ...notes.map((note) => `\nNote: ${plain(note)}`),
    '', 'Next: drop a Markdown file into tasks/, or run `cambium task add "<title>"`.', 'Who works here, and with what (runbooks, claude, codex, gemini, …): `agents` in cambium.yaml.',
  ].join('\n');
}

function stuckText({ state, shop }: Loop): string {
  if (state.fleet === null) return '';
  const states = [...orient(state.fleet, shop.node.clock.now().toISOString()).tasks.values()];
  const stuck = states.filter(({ state: task }) => ['blocked', 'input', 'review'].includes(task)).length;
  return stuck === 0 ? '' : ` ${stuck} ${stuck === 1 ? 'waits' : 'wait'} for somebody: see \`cambium status\`.`;
}

function resultLine(fleet: Fleet, task: string): string {
  const result = fleet.results.get(task);
  const mark = result?.outcome === 'done' ? paint('✓', 32) : paint('✗', 31);
  const path = fleet.tasks.get(task)?.path.replace(/\.md$/, '.result.md');
  return `  ${mark} ${task}  ${result?.outcome ?? '?'}${result?.agent === null || result === undefined ? '' : ` by ${result.agent} on ${result.node}`}${path === undefined ? '' : `  → ${path}`}`;
}

/** The last words of a daemon: what it gave back, and what goes on without it. */
export function describeEnd({ state, shop }: Loop): string {
  const kept = [...state.givenBack].map(([task, ref]) => `  ${task} was given back${shop.node.mirror.known().refs.has(ref) ? `; its work is kept on ${ref}` : ''}`);
  const running = [...state.runs.keys()].map((task) => `  ${task} goes on running; the next daemon here takes it up again`);
  return ['Stopped.', ...kept, ...running].join('\n');
}
