/** What an agent is told when it is woken, part by part. Pure nouns. */
import type { Oid } from './ids.ts';
import type { SpawnPurpose } from './spawn.ts';
import type { Task } from './task.ts';

/** A text that somebody else wrote: it is shown between marks, with its origin, as material and never as an instruction. */
export interface Quoted {
  readonly origin: string;
  readonly text: string;
  /** Why the text is not all there is (too large, no text at all); unsaid where it is whole. */
  readonly note?: string;
}

/** A message as a prompt shows it. */
export interface SaidMessage {
  readonly id: string;
  readonly from: string;
  readonly at: string;
  readonly text: string;
}

/** Everything that a prompt is assembled from: the same subject gives the same prompt, byte for byte. */
export interface PromptSubject {
  readonly agent: string;
  readonly role: string;
  readonly node: string;
  readonly purpose: SpawnPurpose;
  readonly directory: string;
  readonly worktree: string;
  /** Absolute path where the report is to be left. */
  readonly resultFile: string;
  readonly task: Task | null;
  readonly epoch: number;
  readonly attempt: number;
  readonly instruction: string;
  readonly context: readonly { readonly path: string; readonly blob: Oid; readonly text: string; readonly note?: string }[];
  /** What was wrong with an earlier turn; null at a first one. */
  readonly feedback: string | null;
  /** The worktree holds what the turn before left there. */
  readonly keptWork: boolean;
  /** For an answer: where it was said, what is to be answered, and what was said before. */
  readonly channel: string | null;
  readonly messages: readonly SaidMessage[];
  readonly history: readonly SaidMessage[];
  /** The request that the messages are about; absent where they are about none. */
  readonly request?: string;
  /** True where others are asked the same, and none is to see what the others say. */
  readonly blind?: boolean;
  /** What the tree says of the agent: its constitution, how the fleet works, what it says of itself. Cut from the last. */
  readonly self: readonly Quoted[];
  /** The page of its role; null where there is none. */
  readonly template: Quoted | null;
  readonly memory: readonly Quoted[];
  /** Open work and limits, one line each. */
  readonly situation: readonly string[];
}

/** In the order in which they stand in a prompt. */
export const PROMPT_PARTS = ['who', 'self', 'role', 'feedback', 'task', 'criteria', 'context', 'memory', 'history', 'messages', 'situation', 'report'] as const;
export type PromptPartName = (typeof PROMPT_PARTS)[number];

export interface PromptPartSize {
  readonly name: PromptPartName;
  /** Of the whole part as it stands in the text, its heading included: the sum over all parts is the length of the text. */
  readonly chars: number;
  /** Estimated, four characters a token. */
  readonly tokens: number;
  /** Characters that were left out to keep within the budget. */
  readonly cut: number;
}

export interface Prompt {
  readonly text: string;
  /** Those that are not empty. */
  readonly parts: readonly PromptPartSize[];
  /** Estimated; above `budget` only where what is never cut is larger by itself. */
  readonly tokens: number;
  readonly budget: number;
}

/** Tokens that a prompt may have, where cambium.yaml does not say (`limits.prompt_tokens`). */
export const PROMPT_TOKENS = 60_000;
export const CHARS_PER_TOKEN = 4;
