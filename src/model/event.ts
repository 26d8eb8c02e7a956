/**
 * What happened in the fleet, as the fleet's own hooks are told it (docs/hooks.md). Pure nouns: an event is read from what the
 * hub holds, never from a log, so one that nobody was there to see is told later. It belongs to the node that wrote the commit.
 */
import type { AgentId, NodeName, Oid, TaskId } from './ids.ts';

export const EVENT_NAMES = ['task-claimed', 'task-done', 'task-failed', 'task-cancelled', 'task-input', 'review', 'message', 'human', 'spawn-end', 'node-silent'] as const;
export type EventName = (typeof EVENT_NAMES)[number];

interface Told {
  readonly schema: 'cambium.event/1';
  /** The same for the same cause, however often it is told. */
  readonly id: string;
  /** UTC, for people. */
  readonly at: string;
  /** The node on which it happened, and which runs the hook. */
  readonly node: NodeName;
}

/** The task as the chain's transition has it. */
export interface EventTask {
  readonly task: TaskId;
  /** Null for one that stands nowhere in the tree any more. */
  readonly title: string | null;
  readonly path: string | null;
  readonly agent: AgentId | null;
  readonly epoch: number;
  readonly attempt: number;
}

export interface EventMessage {
  readonly message: string;
  readonly path: string;
  readonly from: string;
  readonly channel: string | null;
  readonly to: readonly string[];
  readonly mentions: readonly string[];
  readonly text: string;
}

export type FleetEvent = Told & (
  | (EventTask & { readonly event: 'task-claimed' })
  /** `result` is the commit of main that holds work and result; `reason` why it failed or was cancelled, where known. */
  | (EventTask & { readonly event: 'task-done' | 'task-failed' | 'task-cancelled'; readonly result: Oid | null; readonly reason: string | null })
  | (EventTask & { readonly event: 'task-input'; readonly question: string })
  | (EventTask & { readonly event: 'review'; readonly reviewer: string; readonly branch: string | null; readonly commit: Oid | null })
  | (EventMessage & { readonly event: 'message' })
  /** A person is needed: a message says @human, a task asks, or waits for a person's review. */
  | { readonly event: 'human'; readonly cause: 'message' | 'task-input' | 'review'; readonly text: string; readonly task: TaskId | null; readonly from: string | null; readonly channel: string | null }
  | { readonly event: 'spawn-end'; readonly spawn: string; readonly agent: AgentId; readonly task: TaskId | null; readonly outcome: string; readonly failure: string | null; readonly cost_usd: number | null }
  | { readonly event: 'node-silent'; readonly silent: NodeName; readonly tasks: readonly { readonly task: TaskId; readonly epoch: number }[] }
);

/** `on-task-done`, with any ending or none: `on-task-done.sh`. Null for a file that is no hook. */
export function hookedEvent(file: string): EventName | null {
  const name = /^on-([a-z-]+)(?:\.[A-Za-z0-9]+)?$/.exec(file)?.[1];
  return EVENT_NAMES.find((event) => event === name) ?? null;
}
