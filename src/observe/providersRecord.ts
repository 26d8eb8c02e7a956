/** agents/providers/<node>.json: what each node has parked, written by that node alone (docs/formats.md). */
import { CambiumError } from '../errors.ts';
import { isId } from '../model/ids.ts';
import type { Oid } from '../model/ids.ts';
import type { ProviderPark, ProvidersRecord } from '../model/providers.ts';
import type { Quarantined } from '../model/task.ts';
import type { Store } from '../ports/store.ts';
import { type RecordKind, readRecord, renderRecord } from './jsonRecord.ts';
import { anyText, id, listOf, nullable, oneOf, shape, string, whole } from './rules.ts';
import { entryAt } from './tree.ts';

const time = string('must be a UTC time', (value) => !Number.isNaN(Date.parse(value)));

const PROVIDERS: RecordKind = {
  name: 'The record of parked providers',
  schema: 'cambium.providers/1',
  rule: shape({
    schema: oneOf(['cambium.providers/1']), node: id,
    parks: listOf(shape({ provider: id, node: id, failure: anyText, reason: anyText, since: time, until: nullable(time), times: whole(1), scope: oneOf(['node', 'fleet']), resumed: nullable(anyText), settings: anyText })),
  }),
};

const ORDER = ['schema', 'node', 'parks'] as const;

/** Throws CambiumError `schema-too-new` or `bad-file`. */
export function parseProvidersRecord(bytes: Uint8Array): ProvidersRecord {
  return readRecord(bytes, PROVIDERS) as unknown as ProvidersRecord;
}

export function renderProvidersRecord(record: ProvidersRecord): string {
  return renderRecord(record, ORDER);
}

const FOLDER = 'agents/providers';

export interface ParksRead {
  readonly parks: readonly ProviderPark[];
  readonly problems: readonly Quarantined[];
}

const NONE: ParksRead = { parks: [], problems: [] };

/** All nodes' files; a park counts only in the file of the node that it names. One that cannot be read parks nothing, and is shown. */
export function createParksReader(store: Store): (tree: Oid) => Promise<ParksRead> {
  let last: { readonly folder: Oid; readonly read: ParksRead } | null = null;
  return async (tree) => {
    const folder = await entryAt(store, tree, FOLDER);
    if (folder === null || folder.mode !== '40000') return NONE;
    if (last?.folder === folder.oid) return last.read;
    const files = (await store.readTree(folder.oid)).filter(({ mode, name }) => mode === '100644' && name.endsWith('.json') && isId(name.slice(0, -5)));
    const read = await Promise.all(files.map(({ name, oid }) => readFile(store, name.slice(0, -5), oid)));
    last = { folder: folder.oid, read: { parks: read.flatMap(({ parks }) => parks), problems: read.flatMap(({ problems }) => problems) } };
    return last.read;
  };
}

async function readFile(store: Store, node: string, oid: Oid): Promise<ParksRead> {
  const path = `${FOLDER}/${node}.json`;
  try {
    return { parks: parseProvidersRecord(await store.readBlob(oid)).parks.filter((park) => park.node === node), problems: [] };
  } catch (error) {
    if (!(error instanceof CambiumError) || !['bad-file', 'schema-too-new'].includes(error.code)) throw error;
    return { parks: [], problems: [{ path, line: 1, reason: error.message, mend: `Delete ${path}: the node ${node} writes it anew.` }] };
  }
}
