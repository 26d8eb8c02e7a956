/** What `cambium check` says of a file. Pure nouns. */

export type FindingLevel = 'error' | 'warning';

/** Stable names, for scripts. Errors: the fleet sets the file aside, or what it asks for can never happen as it stands. */
export type FindingCode =
  | 'not-a-file' | 'bad-name' | 'duplicate-id' | 'bad-text' | 'bad-value' | 'bad-record' | 'schema-too-new' | 'wrong-place'
  | 'unknown-dependency' | 'dependency-circle' | 'missing-context' | 'unknown-project' | 'unknown-provider'
  | 'unknown-key' | 'unknown-agent' | 'unknown-role' | 'unknown-capability' | 'unknown-constitution' | 'unknown-parent' | 'no-agent-fits';

export interface Finding {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** From 1; null where only the line is known. */
  readonly column: number | null;
  readonly level: FindingLevel;
  readonly code: FindingCode;
  /** One sentence: what is wrong. */
  readonly message: string;
  /** One sentence: what to do about it. */
  readonly mend: string;
}

/** By place. */
export function byPlace(a: Finding, b: Finding): number {
  if (a.path !== b.path) return a.path < b.path ? -1 : 1;
  return a.line - b.line || (a.column ?? 0) - (b.column ?? 0);
}
