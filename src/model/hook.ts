/**
 * Hooks of agent CLIs: what one is told on standard input and what it may answer. The three CLIs speak nearly the same JSON
 * (claude and codex the same, gemini with names of its own); what differs is here and nowhere else. Pure.
 */

export const HOOK_NAMES = ['session-start', 'user-prompt', 'pre-tool', 'stop', 'session-end'] as const;
export type HookName = (typeof HOOK_NAMES)[number];

export const HOOK_CLIS = ['claude', 'codex', 'gemini'] as const;
export type HookCli = (typeof HOOK_CLIS)[number];

export const isHookName = (text: string | undefined): text is HookName => (HOOK_NAMES as readonly (string | undefined)[]).includes(text);
export const isHookCli = (text: string | undefined): text is HookCli => (HOOK_CLIS as readonly (string | undefined)[]).includes(text);

const SHARED_EVENTS: Readonly<Record<HookName, string>> = {
  'session-start': 'SessionStart', 'user-prompt': 'UserPromptSubmit', 'pre-tool': 'PreToolUse', 'stop': 'Stop', 'session-end': 'SessionEnd',
};
const GEMINI_EVENTS: Readonly<Record<HookName, string>> = {
  'session-start': 'SessionStart', 'user-prompt': 'BeforeAgent', 'pre-tool': 'BeforeTool', 'stop': 'AfterAgent', 'session-end': 'SessionEnd',
};

/** What the CLI calls the moment. */
export const hookEvent = (name: HookName, cli: HookCli): string => (cli === 'gemini' ? GEMINI_EVENTS : SHARED_EVENTS)[name];

/** What a CLI tells a hook, as far as any of ours looks at it. */
export interface HookInput {
  readonly cli: HookCli;
  /** Letters, digits, `-` and `_`, at most 64: it becomes a file name. */
  readonly session: string;
  readonly cwd: string | null;
  /** The turn that ends was itself brought about by a stop hook. */
  readonly stopActive: boolean;
  /** session-start: startup, resume, clear or compact; null where the CLI does not say. */
  readonly source: string | null;
  readonly tool: { readonly name: string; readonly input: Readonly<Record<string, unknown>> } | null;
}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
const object = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {});

/** Reads whatever came; a field that is missing or of another kind counts as unsaid. `asked` is `--for`. */
export function hookInput(said: unknown, asked: HookCli | undefined): HookInput {
  const fields = object(said);
  const tool = text(fields['tool_name']);
  return {
    cli: asked ?? cliOf(fields),
    session: (text(fields['session_id']) ?? 'unknown').replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 64),
    cwd: text(fields['cwd']),
    stopActive: fields['stop_hook_active'] === true,
    source: text(fields['source']),
    tool: tool === null ? null : { name: tool, input: object(fields['tool_input']) },
  };
}

/** gemini by names of its own, and by the time that only it sends; codex by the id of the turn. Their answers are the same else. */
function cliOf(fields: Readonly<Record<string, unknown>>): HookCli {
  const event = text(fields['hook_event_name']) ?? '';
  if (['BeforeAgent', 'AfterAgent', 'BeforeTool'].includes(event) || (text(fields['timestamp']) !== null && fields['permission_mode'] === undefined)) return 'gemini';
  return fields['turn_id'] === undefined ? 'claude' : 'codex';
}

export type HookAnswer =
  | { readonly kind: 'nothing' }
  /** Told to the model: session-start, user-prompt. */
  | { readonly kind: 'context'; readonly text: string }
  /** stop: the session goes on with the reason as what it is told. */
  | { readonly kind: 'block'; readonly reason: string }
  /** pre-tool: the tool does not run, and the model is told why. */
  | { readonly kind: 'deny'; readonly reason: string };

export const NOTHING: HookAnswer = { kind: 'nothing' };

/** The one object that goes to standard output. `{}` lets everything go its way, in all three. */
export function hookOutput(answer: HookAnswer, name: HookName, cli: HookCli): Readonly<Record<string, unknown>> {
  if (answer.kind === 'context') return { hookSpecificOutput: { hookEventName: hookEvent(name, cli), additionalContext: answer.text } };
  if (answer.kind === 'block') return { decision: 'block', reason: answer.reason };
  if (answer.kind === 'nothing') return {};
  if (cli === 'gemini') return { decision: 'deny', reason: answer.reason };
  return { hookSpecificOutput: { hookEventName: hookEvent(name, cli), permissionDecision: 'deny', permissionDecisionReason: answer.reason } };
}

/** Paths that a file tool is about to change, as it names them, and what becomes of each; null for a tool that is no file tool. */
export function toolWrites({ name, input }: NonNullable<HookInput['tool']>): readonly ToolWrite[] | null {
  if (name === 'apply_patch') return patchWrites(text(input['command']) ?? text(input['patch']) ?? text(input['input']) ?? '');
  if (!FILE_TOOLS.has(name)) return null;
  const path = text(input['file_path']) ?? text(input['notebook_path']) ?? text(input['path']);
  return path === null ? [] : [{ path, deletes: false }];
}

export interface ToolWrite {
  readonly path: string;
  readonly deletes: boolean;
}

/** claude's, then gemini's. A shell may write too: what it wrote is judged at landing. */
export const FILE_TOOLS: ReadonlySet<string> = new Set(['Write', 'Edit', 'MultiEdit', 'NotebookEdit', 'write_file', 'replace']);

/** The file headers of codex's patch format. */
function patchWrites(patch: string): readonly ToolWrite[] {
  return [...patch.matchAll(/^\*\*\* (Add File|Update File|Delete File|Move to): (.+?)\s*$/gm)].map(([, verb, path]) => ({ path: path as string, deletes: verb === 'Delete File' }));
}
