/** What the daemon says to a person. */
import type { Loop } from '../cycle/loop.ts';
import type { Clone } from './compose.ts';
import { paint, plain } from './output.ts';

export function eventLine(at: Date, event: string, fields: Readonly<Record<string, unknown>>, json: boolean): string {
  if (json) return JSON.stringify({ at: at.toISOString(), event, ...fields });
  const told = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined).map(([key, value]) => `${paint(key, 2)} ${plain(String(value))}`);
  return `${paint(at.toISOString().slice(11, 19), 2)}  ${event.padEnd(14)} ${told.join('  ')}`.trimEnd();
}

export function describeStart(clone: Clone, loop: Loop): string {
  const hub = clone.remote === null ? 'an embedded hub (no remote joined yet)' : clone.hub.url;
  const agents = loop.agents().map(({ id, provider }) => `${id} (${provider})`).join(', ');
  return `cambium ${clone.version} · node ${paint(loop.shop.node.identity.node, 1)} · hub: ${hub}\nagents: ${agents === '' ? 'none on this node' : agents}\n`;
}

/** Where things stand when nothing is left to do: what was done, the commits, what to do next. */
export async function describeStop(clone: Clone, loop: Loop, landed: ReadonlySet<string>): Promise<string> {
  const fleet = loop.state.fleet;
  const lines = [''];
  for (const task of landed) {
    const result = fleet?.results.get(task);
    const mark = result?.outcome === 'done' ? paint('✓', 32) : paint('✗', 31);
    lines.push(`${mark} ${task}  ${result?.outcome ?? '?'} by ${result?.agent ?? '?'} on ${result?.node ?? '?'}  → ${fleet?.tasks.get(task)?.path.replace(/\.md$/, '.result.md') ?? ''}`);
  }
  const commits = fleet === null ? [] : await clone.store.log(fleet.main.commit, { limit: 8, firstParent: true });
  lines.push('', `Newest commits on ${clone.branch}:`, ...commits.map(({ oid, message }) => `  ${paint(oid.slice(0, 8), 33)} ${plain(message.split('\n')[0] ?? '')}`));
  const quarantined = [...(fleet?.quarantine ?? []), ...loop.state.checkout.held];
  if (quarantined.length > 0) lines.push('', `Set aside (${quarantined.length}):`, ...quarantined.map(({ path, line, reason, mend }) => `  ${plain(path)}:${line} ${plain(reason)}\n    → ${plain(mend)}`));
  for (const note of [...(loop.state.checkout.blocked === null ? [] : [`your checkout is left alone: ${loop.state.checkout.blocked}`]), ...loop.state.checkout.notes]) lines.push('', `Note: ${plain(note)}`);
  lines.push('', 'Next: drop a Markdown file into tasks/, or run `cambium task add "<title>"`.', 'An agent CLI instead of runbooks: see `providers` in cambium.yaml.');
  return lines.join('\n');
}
