/** What a scripted model is told to say, and what it was asked: the words that the three dialects share. */

export interface Tokens {
  readonly input: number;
  readonly output: number;
  /** Part of `input` that came from a cache. */
  readonly cached?: number;
}

/** A call in no CLI's words; each dialect says it with the tools that the request offers. Paths are relative to the CLI's working directory. claude and opencode edit only what they have read in the session. */
export type Call =
  | { readonly tool: 'write'; readonly path: string; readonly text: string }
  | { readonly tool: 'edit'; readonly path: string; readonly find: string; readonly replace: string }
  | { readonly tool: 'read'; readonly path: string }
  | { readonly tool: 'bash'; readonly command: string }
  /** A tool by the CLI's own name, for instance one of an MCP server. */
  | { readonly tool: 'named'; readonly name: string; readonly input: Readonly<Record<string, unknown>> };

export interface Reply {
  readonly text?: string;
  /** Several are called in one reply, as models do. */
  readonly calls?: readonly Call[];
  /** 100 in and 20 out where it is not said. */
  readonly usage?: Tokens;
  /** Waits so long between the pieces of the stream; a text then comes word by word. */
  readonly dribbleMs?: number;
}

/** An HTTP error in the dialect's own words. */
export interface Failure {
  readonly fail: number;
  readonly message?: string;
  readonly retryAfterS?: number;
  /** With 429: the words in which the provider says that the quota is spent, and not only that one should slow down. */
  readonly exhausted?: boolean;
  readonly times?: number;
}

/** Without `times` a fault stays: the CLI meets it at every retry. With it, what follows in the list is said afterwards. */
export type Fault =
  | Failure
  /** The request is read and no byte ever comes back, not even headers. */
  | { readonly hang: true; readonly times?: number }
  /** The connection is cut after the first half of this answer. */
  | { readonly drop: Reply; readonly times?: number };

export type Step = Reply | Call | Fault;

/**
 * A list belongs to one prompt: the n-th answer since the last prompt is its n-th entry, and after its end the model
 * says `done`. So a list serves any number of conversations at once, and a retry is answered as the first try was.
 * A function chooses for each request: one step, or the list of that conversation.
 */
export type Script = readonly Step[] | ((asked: Asked) => Step | readonly Step[]);

export type DialectName = 'anthropic' | 'openai' | 'gemini';

export interface ToolResult {
  readonly id: string;
  readonly text: string;
  /** Where the dialect tells; codex and gemini put failures into the text. */
  readonly isError: boolean;
}

/** One request as it was understood. */
export interface Asked {
  readonly dialect: DialectName;
  /** Null for a turn of the agent; else what the CLI asked beside it (`title`, `router`, `tokens` …), which no script answers. */
  readonly side: string | null;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly model: string;
  /** The CLI's session id where it sends one; for gemini a hash of the first prompt. */
  readonly conversation: string;
  readonly system: string;
  /** What the CLI put before the prompts itself: environment, instruction files, reminders. */
  readonly context: string;
  /** What was said to the model, oldest first: the prompt of each run, and what a hook handed in. */
  readonly prompts: readonly string[];
  /** The last of `prompts`. */
  readonly prompt: string;
  /** How often the model has answered since the last prompt. */
  readonly replies: number;
  /** What tools gave back since the last prompt. */
  readonly results: readonly ToolResult[];
  /** Names of the tools that the request offers. */
  readonly tools: readonly string[];
  /** Where the CLI says it works; null where it does not say. */
  readonly cwd: string | null;
}

/** What goes over the wire. `pieces` are written one after the other, with a pause between them where a reply dribbles. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly pieces: readonly string[];
}

export interface Incoming {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

/** One provider's HTTP API. */
export interface Dialect {
  readonly name: DialectName;
  /** True for the paths of this API. */
  matches(path: string): boolean;
  read(incoming: Incoming): Asked;
  say(asked: Asked, reply: Reply): Answer;
  /** The harmless answer to a side request. */
  saySide(asked: Asked): Answer;
  fail(failure: Failure): Answer;
}

export const USAGE: Tokens = { input: 100, output: 20 };

export const isFault = (step: Step): step is Fault => 'fail' in step || 'hang' in step || 'drop' in step;

/** A bare call is a reply with one call in it. */
export const replyOf = (step: Reply | Call): Reply => ('tool' in step ? { calls: [step] } : step);
