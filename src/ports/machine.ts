/** What the machine has left for agents to be started on it. */
import type { MachineRoom } from '../model/limits.ts';

export interface Machine {
  /** Asked anew at each call; null for what this system does not tell. Never throws. */
  room(): Promise<MachineRoom>;
}
