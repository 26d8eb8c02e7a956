/** The parts of one node's loop, wired once and handed to every step of a pass. */
import type { Heart } from '../act/heartbeat.ts';
import type { Workshop } from '../act/run/workshop.ts';
import type { LocalAgent } from '../model/snapshot.ts';
import type { FleetReader } from '../observe/fleet.ts';
import type { TalkReader } from '../observe/talk.ts';
import type { Checkout } from '../ports/checkout.ts';
import type { Decisions } from './decisions.ts';
import type { LoopState } from './state.ts';

export interface Loop {
  readonly shop: Workshop;
  readonly fleets: FleetReader;
  readonly talk: TalkReader;
  readonly checkout: Checkout;
  readonly heart: Heart;
  readonly state: LoopState;
  readonly decisions: Decisions;
  /** Earlier lives of this clone, whose claims are given back at once (P4.1). */
  readonly pastIncarnations: readonly string[];
  agents(): readonly LocalAgent[];
}
