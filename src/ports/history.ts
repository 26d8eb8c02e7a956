/** Questions to the history that a walk over commits answers. */
import type { Oid } from '../model/ids.ts';

export interface History {
  /**
   * When each file below `folder` first stood on the first-parent line of `from`, in seconds since 1970: those added
   * after `not` (or in the last `commitsMax` commits when that is null).
   */
  additions(from: Oid, not: Oid | null, folder: string, commitsMax: number): Promise<ReadonlyMap<string, number>>;
}
