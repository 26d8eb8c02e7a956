/** Session ids for CLIs that let their caller choose one. Pure. */
import { createHash } from 'node:crypto';

/** The same for the same spawn, so that a request is prepared the same however often: a UUID (version 4 in form) of the spawn's SHA-256. */
export function sessionFor(spawn: string): string {
  const hex = createHash('sha256').update(spawn).digest('hex');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `${variant}${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-');
}

/** A session to go on with comes from a record in the tree: what is no UUID would be an option, or a search, to the CLI. */
export function isSessionId(text: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}
