/** Object ids, names and the id grammar (docs/formats.md, "Ids"). Pure. */

/** A git object id in lower-case hex: 40 characters with sha1, 64 with sha256. */
export type Oid = string;
export type TaskId = string;
export type AgentId = string;
export type NodeName = string;

const GRAMMAR = /^(?!\d+$)[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/;
const DEVICES = new Set(['con', 'prn', 'aux', 'nul', ...[1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((n) => [`com${n}`, `lpt${n}`])]);
const RESERVED_AGENTS = new Set(
  'channels spawns plans locks nodes providers proposals discussions roster project human all'.split(' '),
);

/** True for ids of tasks, agents, nodes, locks and channels. */
export function isId(text: string): boolean {
  return GRAMMAR.test(text) && !DEVICES.has(text);
}

export function isAgentId(text: string): boolean {
  return isId(text) && !RESERVED_AGENTS.has(text);
}

/** The nearest good id to a bad one, to offer to a person: `Add Login!` → `add-login`. */
export function proposeId(text: string): string {
  const slug = text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[-_]+|[-_]+$/g, '')
    .slice(0, 58)
    .replace(/[-_]+$/g, '');
  if (slug === '') return 'task';
  if (isId(slug)) return slug;
  return /^\d+$/.test(slug) || DEVICES.has(slug) ? `task-${slug}` : 'task';
}

const BASE32 = 'abcdefghjkmnpqrstvwxyz0123456789';

/** Slug plus four random base32 characters, never max+1: two clones that add at once must not collide. */
export function generateTaskId(title: string, random: Uint8Array): TaskId {
  const tail = Array.from(random.slice(0, 4), (byte) => BASE32[byte % 32]).join('');
  const slug = proposeId(title).slice(0, 40).replace(/[-_]+$/g, '');
  return `${slug}-${tail}`;
}
