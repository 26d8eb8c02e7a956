/** What people have paused: stop.json on `refs/cambium/stop` (docs/formats.md). One record for the whole fleet. Pure nouns. */
import type { AgentId } from './ids.ts';

/** Who wished it, and why. */
export interface Wish {
  /** `human:<name>` or `agent:<id>`. */
  readonly by: string;
  readonly why: string | null;
  /** UTC ISO time, for people. */
  readonly at: string;
}

/** `drain`: running agents finish and land; `freeze`: they stand still, their claims kept, until the fleet goes on. */
export type StopMode = 'drain' | 'freeze';

export const PAUSABLE = ['agent', 'provider', 'project'] as const;
export type Pausable = (typeof PAUSABLE)[number];

export interface StopRecord {
  readonly schema: 'cambium.stop/1';
  readonly op: string;
  /** Null: the fleet is not stopped. */
  readonly fleet: (Wish & { readonly mode: StopMode }) | null;
  readonly agents: Readonly<Record<AgentId, Wish>>;
  readonly providers: Readonly<Record<string, Wish>>;
  readonly projects: Readonly<Record<string, Wish>>;
  /** The last resume of each provider: a park that was made before it is over, whichever node made it. */
  readonly resumed: Readonly<Record<string, Wish & { readonly op: string }>>;
  /** Keys of a newer minor version, kept. */
  readonly [key: string]: unknown;
}

export const NO_STOP: StopRecord = { schema: 'cambium.stop/1', op: '', fleet: null, agents: {}, providers: {}, projects: {}, resumed: {} };

/** The wish that pauses this one, or null. Names come from people: `constructor` is none of ours. */
export function pauseOf({ agents, providers, projects }: StopRecord, kind: Pausable, name: string): Wish | null {
  const wishes = kind === 'agent' ? agents : kind === 'provider' ? providers : projects;
  return Object.hasOwn(wishes, name) ? (wishes[name] ?? null) : null;
}
