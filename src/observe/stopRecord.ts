/** stop.json on `refs/cambium/stop`: what people have stopped and paused (docs/formats.md). */
import { CambiumError } from '../errors.ts';
import type { Oid } from '../model/ids.ts';
import { STOP_REF } from '../model/layout.ts';
import { NO_STOP } from '../model/stop.ts';
import type { StopRecord } from '../model/stop.ts';
import type { Quarantined } from '../model/task.ts';
import type { Store } from '../ports/store.ts';
import { type RecordKind, readRecord, renderRecord } from './jsonRecord.ts';
import { type Rule, anyText, isLine, nullable, oneOf, shape, string } from './rules.ts';
import { fileAt, treeOf } from './tree.ts';

const line: Rule = string('must be one line of text', isLine);
const WISH = { by: line, why: nullable(line), at: anyText };

function byName(rule: Rule): Rule {
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return { at: [], must: 'must be an object' };
    for (const [name, entry] of Object.entries(value)) {
      const fault = rule(entry);
      if (fault !== null) return { at: [name, ...fault.at], must: fault.must };
    }
    return null;
  };
}

const STOP: RecordKind = {
  name: 'stop.json',
  schema: 'cambium.stop/1',
  rule: shape({
    schema: oneOf(['cambium.stop/1']),
    op: string('must be an op-id', (value) => value !== ''),
    fleet: nullable(shape({ mode: oneOf(['drain', 'freeze']), ...WISH })),
    agents: byName(shape(WISH)), providers: byName(shape(WISH)), projects: byName(shape(WISH)),
    resumed: byName(shape({ ...WISH, op: anyText })),
  }),
};

const ORDER = ['schema', 'op', 'fleet', 'agents', 'providers', 'projects', 'resumed'] as const;

/** Throws CambiumError `schema-too-new` or `bad-file`. */
export function parseStopRecord(bytes: Uint8Array): StopRecord {
  return readRecord(bytes, STOP) as unknown as StopRecord;
}

export function renderStopRecord(record: StopRecord): string {
  return renderRecord(record, ORDER);
}

export interface StopRead {
  readonly stop: StopRecord;
  readonly problems: readonly Quarantined[];
}

/** What the ref says; nothing is stopped where there is none. One that cannot be read stops the fleet: somebody wished something. */
export async function readStop(store: Store, tip: Oid | undefined): Promise<StopRead> {
  if (tip === undefined) return { stop: NO_STOP, problems: [] };
  try {
    const file = await fileAt(store, await treeOf(store, tip), 'stop.json');
    if (file === null) throw new CambiumError('bad-file', `${STOP_REF} holds no stop.json.`);
    return { stop: parseStopRecord(file.bytes), problems: [] };
  } catch (error) {
    if (!(error instanceof CambiumError) || !['bad-file', 'schema-too-new', 'object-missing'].includes(error.code)) throw error;
    const why = `${STOP_REF} cannot be read`;
    return {
      stop: { ...NO_STOP, fleet: { mode: 'drain', by: 'node:nobody', why, at: '' } },
      problems: [{ path: STOP_REF, line: 1, reason: error.message, mend: 'Nothing is started until it can be read: `cambium resume --fleet` writes it anew.' }],
    };
  }
}
