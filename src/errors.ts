/**
 * The one error class for a broken world: what, where, and the mend. Expected outcomes (a lost race, nothing
 * ready) are values; bugs are assertions. `toExit` is the one place that turns a code into an exit status.
 */
export type ErrorCode =
  | 'git-missing' | 'git-too-old' | 'git-failed' | 'not-a-workspace' | 'no-identity'
  | 'hub-away' | 'hub-denied' | 'hub-not-joined' | 'hub-rewritten' | 'hub-unfit' | 'hub-shallow' | 'hub-policy'
  | 'disk-full' | 'object-missing' | 'object-corrupt'
  | 'unknown-task' | 'unknown-spawn' | 'unknown-channel' | 'lost-race' | 'fenced' | 'refused' | 'nothing-ready' | 'outcome-unknown'
  | 'schema-too-new' | 'bad-config' | 'bad-file' | 'usage' | 'daemon-running' | 'node-taken' | 'id-used' | 'internal';

export interface ErrorDetail {
  /** What the user does next: one sentence, with the command where there is one. */
  readonly hint?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class CambiumError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'CambiumError';
    this.code = code;
    this.hint = detail.hint;
    this.data = detail.data ?? {};
  }
}

/** True when the hub could not be asked, as against a hub that answered: what is known still stands. */
export function isHubAway(error: unknown): error is CambiumError {
  return error instanceof CambiumError && (error.code === 'hub-away' || error.code === 'hub-denied');
}

const EXITS: Partial<Record<ErrorCode, number>> = {
  'usage': 2, 'bad-config': 2, 'not-a-workspace': 2, 'git-missing': 2, 'git-too-old': 2, 'no-identity': 2, 'schema-too-new': 2,
  'nothing-ready': 3,
  'internal': 70,
  'hub-away': 75, 'outcome-unknown': 75,
};

/** Exit status: 0 ok · 1 refused, failed or race lost · 2 usage or config · 3 nothing to do · 70 bug · 75 try later. */
export function exitStatus(code: ErrorCode): number {
  return EXITS[code] ?? 1;
}
