/**
 * What the tree says of an agent, gathered for its prompt: what it is, its role's page, what it remembers. Read by tree entry
 * at one commit, never by path on disk, so a symlink leads nowhere and a checkout in between changes nothing.
 */
import { isId } from '../../model/ids.ts';
import type { AgentId, Oid } from '../../model/ids.ts';
import { constitutionPath, rolePagePath } from '../../model/layout.ts';
import type { PromptSubject, Quoted } from '../../model/prompt.ts';
import { entryAt, treeOf } from '../../observe/tree.ts';
import type { Store } from '../../ports/store.ts';
import { readable } from './readable.ts';

export interface PromptSources {
  readonly store: Store;
  /** The workspace's commit that everything is read at. */
  readonly commit: Oid;
  /** A text file that comes with cambium, by its path in the package (`templates/…`); null where it has none of that path. */
  readonly shipped: (path: string) => string | null;
}

export type Told = Pick<PromptSubject, 'self' | 'template' | 'memory'>;

/** How many further notes of its own are named to an agent. */
const NOTES_MAX = 20;

/** `constitution` is the name that cambium.yaml gives to the agent; null: none. Throws what the store throws. */
export async function selfAndMemory({ store, commit, shipped }: PromptSources, agent: AgentId, role: string, constitution: string | null): Promise<Told> {
  const tree = await treeOf(store, commit);
  const inTree = (path: string): Promise<Quoted | null> => quotedAt(store, tree, path);
  const kept = async (path: string): Promise<Quoted | null> => (await inTree(path)) ?? shippedText(shipped, path);
  const [law, fleet, own, template, notes, ...remembered] = await Promise.all([
    constitution === null ? null : isId(constitution) ? kept(constitutionPath(constitution)) : null,
    inTree('self-model.md'),
    inTree(`agents/${agent}.md`),
    isId(role) ? kept(rolePagePath(role)) : null,
    notesOf(store, tree, agent),
    ...[`memory/${agent}/working.md`, `memory/${agent}/semantic.md`, 'memory/project/context.md', 'memory/project/active.md'].map(inTree),
  ]);
  const absent: Quoted | null = constitution === null || law !== null ? null : { origin: constitutionPath(constitution), text: '', note: 'not shown: cambium.yaml gives you this constitution, and there is no such file' };
  const there = (texts: readonly (Quoted | null)[]): readonly Quoted[] => texts.filter((text) => text !== null);
  return { self: there([law ?? absent, fleet, own]), template, memory: there([...remembered, notes]) };
}

async function quotedAt(store: Store, tree: Oid, path: string): Promise<Quoted | null> {
  const entry = await entryAt(store, tree, path);
  if (entry === null || (entry.mode !== '100644' && entry.mode !== '100755')) return null;
  const read = await readable(store, entry.oid);
  return read.text.trim() === '' && read.note === undefined ? null : { origin: `${path} (blob ${entry.oid})`, ...read };
}

function shippedText(shipped: PromptSources['shipped'], path: string): Quoted | null {
  const text = shipped(path);
  return text === null ? null : { origin: `${path} (as it comes with cambium)`, text };
}

/** Names of what else an agent has noted, newest first: notes are named by their date, and it can read what it needs. */
async function notesOf(store: Store, tree: Oid, agent: AgentId): Promise<Quoted | null> {
  const folder = await entryAt(store, tree, `memory/${agent}`);
  if (folder?.mode !== '40000') return null;
  const names = (await store.readTree(folder.oid)).filter(({ name, mode }) => !['working.md', 'semantic.md', 'README.md'].includes(name) && ['100644', '100755', '40000'].includes(mode));
  if (names.length === 0) return null;
  const lines = names.map(({ name, mode }) => `${name}${mode === '40000' ? '/' : ''}`).toSorted().toReversed();
  const more = lines.length > NOTES_MAX ? [`and ${lines.length - NOTES_MAX} more`] : [];
  return { origin: `memory/${agent}/: further notes of yours, newest first`, text: [...lines.slice(0, NOTES_MAX), ...more].join('\n') };
}
