/** What was said, by channel and inbox, and who is awake to answer. Folders and files that did not change are never read twice. */
import { CambiumError } from '../errors.ts';
import { isAgentId, isId } from '../model/ids.ts';
import type { Oid } from '../model/ids.ts';
import { WAKES_PREFIX, placeFolder } from '../model/talk.ts';
import type { Conversation, HeldWake, Message, Place } from '../model/talk.ts';
import type { TreeEntry } from '../model/git.ts';
import type { Store } from '../ports/store.ts';
import type { HubView } from './hubMirror.ts';
import { parseMessage } from './messageFile.ts';
import { entryAt, fileAt, treeOf } from './tree.ts';
import { WAKE_FILE, parseWake } from './wakeRecord.ts';

export interface Talk {
  readonly conversations: readonly Conversation[];
  /** By `<agent>/<channel>`. */
  readonly wakes: ReadonlyMap<string, HeldWake>;
  /** Wake refs that nobody can read: they hold their place until somebody removes them. */
  readonly unreadable: ReadonlySet<string>;
}

export interface TalkReader {
  read(view: HubView): Promise<Talk>;
}

interface ReadFile {
  readonly oid: Oid;
  readonly message: Message | null;
}

interface ReadPlace {
  readonly folder: Oid;
  readonly files: ReadonlyMap<string, ReadFile>;
  /** The same object for as long as nothing was said: orient looks through it once. */
  readonly conversation: Conversation;
}

/** A folder may hold more than anybody reads: what stands before the newest of these wakes nobody any more. */
const MESSAGES_MAX = 1_000;

export const NO_TALK: Talk = { conversations: [], wakes: new Map(), unreadable: new Set() };

export function createTalkReader(store: Store): TalkReader {
  /** By folder path: what was last read there. The same bytes elsewhere are another message, or none. */
  let places = new Map<string, ReadPlace>();
  let wakes = new Map<Oid, HeldWake>();
  let last: { readonly agents: Oid | null; readonly conversations: readonly Conversation[] } | null = null;

  async function readPlace(place: Place, folder: Oid): Promise<ReadPlace> {
    const before = places.get(placeFolder(place));
    if (before?.folder === folder) return before;
    const files = (await store.readTree(folder)).filter(isMessageFile).toSorted((a, b) => (a.name < b.name ? -1 : 1)).slice(-MESSAGES_MAX);
    const read = await Promise.all(files.map(async ({ name, oid }): Promise<[string, ReadFile]> => {
      const known = before?.files.get(name);
      return [name, known?.oid === oid ? known : { oid, message: await readMessage(`${placeFolder(place)}/${name}`, oid) }];
    }));
    return { folder, files: new Map(read), conversation: { place, messages: read.flatMap(([, { message }]) => message ?? []) } };
  }

  /** One that cannot be read is left out here: `cambium check` names it. */
  async function readMessage(path: string, oid: Oid): Promise<Message | null> {
    const parsed = parseMessage({ path, bytes: await store.readBlob(oid) });
    return 'reason' in parsed ? null : parsed;
  }

  async function conversationsAt(agents: Oid): Promise<readonly Conversation[]> {
    const read = new Map<string, ReadPlace>();
    for (const { place, folder } of await placesAt(store, agents)) read.set(placeFolder(place), await readPlace(place, folder));
    places = read;
    return [...read.values()].map(({ conversation }) => conversation);
  }

  async function readWake(tip: Oid): Promise<HeldWake> {
    const known = wakes.get(tip);
    if (known !== undefined) return known;
    const file = await fileAt(store, await treeOf(store, tip), WAKE_FILE);
    return { tip, wake: parseWake(file?.bytes ?? new Uint8Array()) };
  }

  async function wakesOf(view: HubView): Promise<Pick<Talk, 'wakes' | 'unreadable'>> {
    const read = new Map<string, HeldWake>();
    const unreadable = new Set<string>();
    for (const [ref, tip] of view.refs) {
      if (!ref.startsWith(WAKES_PREFIX)) continue;
      const key = ref.slice(WAKES_PREFIX.length);
      try {
        read.set(key, await readWake(tip));
      } catch (error) {
        if (!(error instanceof CambiumError)) throw error;
        unreadable.add(key);
      }
    }
    wakes = new Map([...read.values()].map((held) => [held.tip, held]));
    return { wakes: read, unreadable };
  }

  return {
    async read(view) {
      const folder = view.main === null ? null : await entryAt(store, await treeOf(store, view.main), 'agents');
      const agents = folder?.mode === '40000' ? folder.oid : null;
      if (last === null || last.agents !== agents) last = { agents, conversations: agents === null ? [] : await conversationsAt(agents) };
      return { conversations: last.conversations, ...(await wakesOf(view)) };
    },
  };
}

async function placesAt(store: Store, agents: Oid): Promise<readonly { readonly place: Place; readonly folder: Oid }[]> {
  const entries = (await store.readTree(agents)).filter(isFolder);
  const channels = entries.find(({ name }) => name === 'channels');
  const named = channels === undefined ? [] : (await store.readTree(channels.oid)).filter((entry) => isFolder(entry) && isId(entry.name));
  const inboxes = await Promise.all(entries.filter(({ name }) => isAgentId(name)).map(async ({ name, oid }) => {
    const inbox = (await store.readTree(oid)).find((entry) => entry.name === 'inbox' && isFolder(entry));
    return inbox === undefined ? [] : [{ place: { inbox: name }, folder: inbox.oid }];
  }));
  return [...named.map(({ name, oid }) => ({ place: { channel: name }, folder: oid })), ...inboxes.flat()];
}

function isFolder({ mode }: TreeEntry): boolean {
  return mode === '40000';
}

function isMessageFile({ name, mode }: TreeEntry): boolean {
  return name.endsWith('.md') && name !== 'README.md' && !/^[._]/.test(name) && (mode === '100644' || mode === '100755');
}
