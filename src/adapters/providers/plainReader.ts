/** The reader of a program whose output has no format of its own: every line is text. */
import type { SpawnEvent } from '../../model/spawnEvent.ts';

export function plainReader(): (line: string) => readonly SpawnEvent[] {
  return (line) => (line.trim() === '' ? [] : [{ kind: 'text', text: line }]);
}

/** Some programs color what they print though nobody sees it; a report is read in a file. */
// oxlint-disable-next-line no-control-regex
export const uncolored = (line: string): string => line.replaceAll(/\u001B\[[0-9;]*m/g, '');
