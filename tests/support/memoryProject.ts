/** A second repository for a fleet in memory: a hub of its own, over the same objects and worktrees as each node's machine has. */
import type { MemoryHub } from '../../src/adapters/memory/hub.ts';
import { createMemoryStore } from '../../src/adapters/memory/store.ts';
import type { MemoryStore } from '../../src/adapters/memory/store.ts';
import type { Oid } from '../../src/model/ids.ts';
import type { Hub } from '../../src/ports/hub.ts';
import type { Project, Projects } from '../../src/ports/projects.ts';
import type { Store } from '../../src/ports/store.ts';
import type { Worktrees } from '../../src/ports/worktrees.ts';

const PERSON = { name: 'Paula', email: 'paula@project.example.org', seconds: 1_795_219_200, zone: '+0000' };
const MAIN = 'refs/heads/main';

/** The refs of a project's repository, kept beside the workspace's under a name of their own. */
function apart(store: MemoryStore, name: string): Store {
  const inside = (ref: string): string => ref.replace(/^refs\//, `refs/project-${name}/`);
  const outside = (ref: string): string => ref.replace(`refs/project-${name}/`, 'refs/');
  return {
    ...store,
    readRef: (ref) => store.readRef(inside(ref)),
    listRefs: async (prefix) => new Map([...(await store.listRefs(inside(prefix)))].map(([ref, oid]) => [outside(ref), oid])),
    updateRefs: (updates, reason) => store.updateRefs(updates.map((update) => ({ ...update, ref: inside(update.ref) })), reason),
  };
}

/** `hubOf` connects a store to the hub of the project of that name. */
export function memoryProjects(store: MemoryStore, worktrees: Worktrees, hubOf: (name: string, store: MemoryStore) => Hub): Projects {
  const open = new Map<string, Project>();
  return {
    async open(name) {
      const project = open.get(name) ?? {
        name, store: apart(store, name), hub: hubOf(name, store), worktrees, isOwnHub: false, takesGuests: async () => true,
        outfit: { needs: async () => ({ submodules: null, lfs: null, lockfiles: [] }), copy: async () => [], restore: async () => false, keep: async () => null },
      };
      open.set(name, project);
      return project;
    },
    close: async () => undefined,
  };
}

/** Somebody of the project, who commits there and reads its history. */
export interface ProjectPerson {
  readonly store: MemoryStore;
  /** Returns false when somebody else was faster. */
  commit(files: Readonly<Record<string, string>>): Promise<boolean>;
  /** Commits on the branch that landed the task, by their trailers, newest first. */
  landings(task: string): Promise<readonly Oid[]>;
  file(path: string): Promise<string | null>;
}

export function projectPerson(hub: MemoryHub): ProjectPerson {
  const store = createMemoryStore();
  const connected = hub.connect(store);
  const tip = async (): Promise<Oid | null> => {
    await connected.fetch(new Map([...hub.refs].filter(([ref]) => ref === MAIN)));
    return hub.refs.get(MAIN) ?? null;
  };
  return {
    store,
    async commit(files) {
      const parent = await tip();
      const edits = await Promise.all(Object.entries(files).map(async ([path, text]) => [path, { mode: '100644' as const, oid: await store.writeBlob(Buffer.from(text)) }] as const));
      const tree = await store.editTree(parent === null ? await store.writeTree([]) : (await store.readCommit(parent)).tree, new Map(edits));
      const to = await store.writeCommit({ tree, parents: parent === null ? [] : [parent], author: PERSON, committer: PERSON, message: 'by hand\n' });
      return (await connected.push([{ ref: MAIN, expect: parent, to }])).kind === 'accepted';
    },
    async landings(task) {
      const main = await tip();
      const commits = main === null ? [] : await store.log(main);
      return commits.filter(({ message }) => message.includes('\nKind: landed\n') && message.includes(`/${task}\n`)).map(({ oid }) => oid);
    },
    async file(path) {
      const main = await tip();
      let entry: { readonly mode: string; readonly oid: Oid } | undefined = main === null ? undefined : { mode: '40000', oid: (await store.readCommit(main)).tree };
      for (const segment of path.split('/')) entry = entry === undefined || entry.mode !== '40000' ? undefined : (await store.readTree(entry.oid)).find(({ name }) => name === segment);
      return entry === undefined ? null : Buffer.from(await store.readBlob(entry.oid)).toString('utf8');
    },
  };
}
