/**
 * Small durable JSON records of this clone, kept in its git directory (never in `.cambium/`, which may be
 * deleted at any time): the incarnation, runs under way, what was last shown to the person.
 */
export interface Local {
  /** Undefined where nothing was written under the key. */
  read(key: string): Promise<unknown>;
  /** Whole or not at all, durable before it resolves. Keys look like paths: `runs/add-login.2`. */
  write(key: string, value: unknown): Promise<void>;
  remove(key: string): Promise<void>;
  /** Keys below a folder, sorted: `runs` and `runs/` mean the same. */
  list(prefix: string): Promise<readonly string[]>;
}
