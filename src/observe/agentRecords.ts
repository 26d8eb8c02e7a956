/** Records that the fleet writes into agents/: who takes part, and each run of a provider (docs/formats.md). */
import { type RecordKind, readRecord } from './jsonRecord.ts';
import { type Rule, agentId, anyText, id, listOf, nullable, number, oneOf, shape, string, whole } from './rules.ts';

const amount = number('must be a number of at least 0', (value) => value >= 0);
const filled: Rule = string('must not be empty', (value) => value !== '');

const SPAWN: RecordKind = {
  name: 'The spawn record',
  schema: 'cambium.spawn/1',
  rule: shape({
    schema: oneOf(['cambium.spawn/1']),
    id: filled, parent: nullable(anyText), depth: whole(0), agent: agentId, node: id, purpose: anyText,
    task: nullable(id), epoch: nullable(whole(0)), attempt: nullable(whole(0)), channel: nullable(id), messages: listOf(anyText),
    provider: anyText, provider_version: nullable(anyText), model: nullable(anyText), session: nullable(anyText),
    process: nullable(shape({ boot_id: anyText, pid: whole(0), start: amount })),
    start: anyText, end: anyText, outcome: oneOf(['succeeded', 'failed', 'stopped', 'fenced', 'lost']), failure: nullable(anyText),
    usage: nullable(shape({ input: amount, cached: amount, output: amount })), cost_usd: nullable(amount),
  }),
};

const ROSTER: RecordKind = {
  name: 'The roster',
  schema: 'cambium.roster/1',
  rule: shape({
    schema: oneOf(['cambium.roster/1']),
    agents: listOf(shape({ id: agentId, role: id, node: id, capabilities: listOf(anyText), provider: anyText, status: anyText, joined: anyText, last_active: anyText })),
  }),
};

/** Throws CambiumError `schema-too-new` or `bad-file`. */
export function parseSpawnRecord(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  return readRecord(bytes, SPAWN);
}

export interface RosterAgent {
  readonly id: string;
  readonly role: string;
  readonly capabilities: readonly string[];
  readonly provider: string;
}

/** Throws CambiumError `schema-too-new` or `bad-file`. */
export function parseRoster(bytes: Uint8Array): readonly RosterAgent[] {
  return (readRecord(bytes, ROSTER) as unknown as { readonly agents: readonly RosterAgent[] }).agents;
}
