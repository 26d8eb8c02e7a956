/** A machine with as much room as a test says. */
import type { MachineRoom } from '../../model/limits.ts';
import type { Machine } from '../../ports/machine.ts';

export interface MemoryMachineRoom extends Machine {
  set(room: Partial<MachineRoom>): void;
}

export function createMemoryMachine(first: MachineRoom = { memoryMb: null, diskMb: null }): MemoryMachineRoom {
  let room = first;
  return {
    room: async () => room,
    set: (more) => void (room = { ...room, ...more }),
  };
}
