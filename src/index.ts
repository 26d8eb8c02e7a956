/** The library: the nouns of the fleet and its one error class. The functions of the command line come with their own entry. */
export { CambiumError, exitStatus } from './errors.ts';
export type { ErrorCode, ErrorDetail } from './errors.ts';
export type { Task, TaskResult, Outcome, Quarantined } from './model/task.ts';
export type { ClaimRecord, ClaimKind, Chain } from './model/claim.ts';
export type { FleetConfig } from './model/config.ts';
