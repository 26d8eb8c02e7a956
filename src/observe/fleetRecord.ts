/** fleet.json on `refs/cambium/fleet`: the marker that a remote is a fleet's hub, and its format (docs/formats.md). */
import type { FleetRecord } from '../model/config.ts';
import { type RecordKind, readRecord, renderRecord, tooNew } from './jsonRecord.ts';
import { anyText, isArgument, oneOf, shape, string, whole } from './rules.ts';

/** The newest arrangement of refs and files that this version works with. */
export const HUB_FORMAT = 1;

const FLEET: RecordKind = {
  name: 'fleet.json',
  schema: 'cambium.hub/1',
  rule: shape({
    schema: oneOf(['cambium.hub/1']),
    fleet: string('must be the fleet\'s id', isArgument),
    format: whole(1),
    generation: whole(1),
    branch: string('must be a branch', isArgument),
    created: anyText,
  }),
};

const ORDER = ['schema', 'fleet', 'format', 'generation', 'branch', 'created'] as const;

/** Throws CambiumError `schema-too-new` (also for a newer `format`) or `bad-file`. */
export function parseFleetRecord(bytes: Uint8Array): FleetRecord {
  const record = readRecord(bytes, FLEET) as unknown as FleetRecord;
  if (record.format > HUB_FORMAT) throw tooNew({ ...FLEET, schema: `format ${HUB_FORMAT}` }, `format ${record.format}`);
  return record;
}

export function renderFleetRecord(record: FleetRecord): string {
  return renderRecord(record, ORDER);
}
