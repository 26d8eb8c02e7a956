/** Decoded objects by oid, the least recently used dropped first. Objects never change, so nothing goes stale. */
import type { Oid } from '../../model/ids.ts';

export interface ObjectCache<T> {
  get(oid: Oid): T | undefined;
  /** `size` in bytes of the encoded object. */
  put(oid: Oid, value: T, size: number): void;
}

/** An entry costs more than its bytes: the map, the decoded strings. */
const OVERHEAD_BYTES = 200;

export function createObjectCache<T>(bytesMax: number): ObjectCache<T> {
  const kept = new Map<Oid, { readonly value: T; readonly bytes: number }>();
  let bytes = 0;
  const drop = (oid: Oid): void => {
    bytes -= kept.get(oid)?.bytes ?? 0;
    kept.delete(oid);
  };
  return {
    get(oid) {
      const entry = kept.get(oid);
      if (entry === undefined) return undefined;
      kept.delete(oid);
      kept.set(oid, entry);
      return entry.value;
    },
    put(oid, value, size) {
      drop(oid);
      const entry = { value, bytes: size + OVERHEAD_BYTES };
      if (entry.bytes > bytesMax) return;
      kept.set(oid, entry);
      bytes += entry.bytes;
      for (const oldest of kept.keys()) {
        if (bytes <= bytesMax) return;
        drop(oldest);
      }
    },
  };
}
