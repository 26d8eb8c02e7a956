/** Local records in memory: what `openLocal` keeps, for a simulated node. Values pass through JSON as they do there. */
import type { Local } from '../../ports/local.ts';
import { checkedKey, isBelow } from '../system/localKey.ts';

/** `records` may be shared between a node and its restarted self. */
export function createMemoryLocal(records: Map<string, string> = new Map()): Local {
  return {
    read: async (key) => {
      const text = records.get(checkedKey(key));
      return text === undefined ? undefined : (JSON.parse(text) as unknown);
    },
    write: async (key, value) => void records.set(checkedKey(key), JSON.stringify(value ?? null)),
    remove: async (key) => void records.delete(checkedKey(key)),
    list: async (prefix) => [...records.keys()].filter((key) => isBelow(key, prefix)).toSorted(),
  };
}
