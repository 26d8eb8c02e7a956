/** How each CLI's tools are called: one table, searched by the names that a request offers. */
import { isAbsolute, join } from 'node:path';
import type { Asked, Call, DialectName } from './script.ts';

export interface ToolUse {
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** Instead of `input`, where the tool takes bare text and not JSON (codex's apply_patch and its code mode). */
  readonly custom?: string;
  /** Where the tool is in one (codex's MCP servers); `name` is then the tool's own. */
  readonly namespace?: string;
}

interface Way<C extends Call> {
  readonly dialect: DialectName;
  readonly name: string;
  use(call: C, at: (path: string) => string): Omit<ToolUse, 'name'>;
}

type Ways = { readonly [K in Exclude<Call['tool'], 'named'>]: readonly Way<Extract<Call, { tool: K }>>[] };

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const lines = (text: string, mark: string): string => text.replace(/\n$/, '').split('\n').map((line) => `${mark}${line}\n`).join('');

/** codex takes a patch out of a shell command that is nothing but this, and reports it as a changed file. */
const patchCommand = (patch: string): string => `apply_patch <<'CAMBIUM_PATCH'\n${patch}CAMBIUM_PATCH\n`;

const addPatch = (path: string, text: string): string => `*** Begin Patch\n*** Add File: ${path}\n${lines(text, '+')}*** End Patch\n`;
const editPatch = (path: string, find: string, replace: string): string =>
  `*** Begin Patch\n*** Update File: ${path}\n@@\n${lines(find, '-')}${lines(replace, '+')}*** End Patch\n`;

/** In code mode codex offers one tool, which runs JavaScript over its other tools; text() is what the model gets back. */
const script = (code: string): Omit<ToolUse, 'name'> => ({ input: {}, custom: `// @exec: {"yield_time_ms": 600000}\n${code}` });
const patchScript = (patch: string): Omit<ToolUse, 'name'> => script(`text(await tools.apply_patch(${JSON.stringify(patch)}));\n`);

/** A command that is still running gives its session instead of an exit code, and is asked again. */
const commandScript = (cmd: string): Omit<ToolUse, 'name'> => script(`let at = await tools.exec_command(${JSON.stringify({ cmd, yield_time_ms: 30_000 })});
let output = at.output;
while (at.session_id !== undefined) {
  at = await tools.write_stdin({ session_id: at.session_id, chars: '', yield_time_ms: 30000 });
  output += at.output;
}
text(output + ' exit ' + at.exit_code);
`);

/** A command in the words of the shell tools that codex has had: which one is offered depends on the model. */
const inShell = <C extends Call>(command: (call: C) => string): readonly Way<C>[] => [
  { dialect: 'openai', name: 'exec.exec_command', use: (call) => commandScript(command(call)) },
  { dialect: 'openai', name: 'exec_command', use: (call) => ({ input: { cmd: command(call), yield_time_ms: 30_000 } }) },
  { dialect: 'openai', name: 'shell_command', use: (call) => ({ input: { command: command(call) } }) },
  { dialect: 'openai', name: 'shell', use: (call) => ({ input: { command: ['bash', '-lc', command(call)] } }) },
];

/** A patch in each of the ways in which codex takes one: in code mode, as a tool, and out of a shell command. */
const asPatch = <C extends Call>(patch: (call: C) => string): readonly Way<C>[] => [
  { dialect: 'openai', name: 'exec.apply_patch', use: (call) => patchScript(patch(call)) },
  { dialect: 'openai', name: 'apply_patch', use: (call) => ({ input: { input: patch(call) }, custom: patch(call) }) },
  ...inShell<C>((call) => patchCommand(patch(call))),
];

const WAYS: Ways = {
  write: [
    { dialect: 'anthropic', name: 'Write', use: ({ path, text }, at) => ({ input: { file_path: at(path), content: text } }) },
    { dialect: 'anthropic', name: 'write', use: ({ path, text }, at) => ({ input: { filePath: at(path), content: text } }) },
    ...asPatch<Extract<Call, { tool: 'write' }>>(({ path, text }) => addPatch(path, text)),
    { dialect: 'gemini', name: 'write_file', use: ({ path, text }, at) => ({ input: { file_path: at(path), content: text } }) },
  ],
  edit: [
    { dialect: 'anthropic', name: 'Edit', use: ({ path, find, replace }, at) => ({ input: { file_path: at(path), old_string: find, new_string: replace } }) },
    { dialect: 'anthropic', name: 'edit', use: ({ path, find, replace }, at) => ({ input: { filePath: at(path), oldString: find, newString: replace } }) },
    ...asPatch<Extract<Call, { tool: 'edit' }>>(({ path, find, replace }) => editPatch(path, find, replace)),
    { dialect: 'gemini', name: 'replace', use: ({ path, find, replace }, at) => ({ input: { file_path: at(path), instruction: `Replace ${find}`, old_string: find, new_string: replace } }) },
  ],
  read: [
    { dialect: 'anthropic', name: 'Read', use: ({ path }, at) => ({ input: { file_path: at(path) } }) },
    { dialect: 'anthropic', name: 'read', use: ({ path }, at) => ({ input: { filePath: at(path) } }) },
    ...inShell<Extract<Call, { tool: 'read' }>>(({ path }) => `cat -- ${quoted(path)}`),
    { dialect: 'gemini', name: 'read_file', use: ({ path }, at) => ({ input: { file_path: at(path) } }) },
  ],
  bash: [
    { dialect: 'anthropic', name: 'Bash', use: ({ command }) => ({ input: { command, description: 'Run a command' } }) },
    { dialect: 'anthropic', name: 'bash', use: ({ command }) => ({ input: { command, description: 'Run a command' } }) },
    ...inShell<Extract<Call, { tool: 'bash' }>>(({ command }) => command),
    { dialect: 'gemini', name: 'run_shell_command', use: ({ command }) => ({ input: { command, description: 'Run a command' } }) },
  ],
};

/**
 * The call with a tool of this request. Where none fits, the dialect's first name is called all the same: a real model
 * does that too, and the CLI then says that there is no such tool.
 */
export function toolUse(call: Call, asked: Asked): ToolUse {
  if (call.tool === 'named') return namedUse(call, asked);
  const ways = (WAYS[call.tool] as readonly Way<Call>[]).filter(({ dialect }) => dialect === asked.dialect);
  const way = ways.find(({ name }) => asked.tools.includes(name)) ?? ways[0];
  if (way === undefined) throw new Error(`No tool for '${call.tool}' in ${asked.dialect}.`);
  const at = (path: string): string => (isAbsolute(path) || asked.cwd === null ? path : join(asked.cwd, path));
  return { name: way.name.replace(/^exec\..*/, 'exec'), ...way.use(call, at) };
}

/** MCP tools need not be in the request: codex and claude look for them when they are called. In code mode codex has all of them as functions. */
function namedUse({ name, input }: Extract<Call, { tool: 'named' }>, asked: Asked): ToolUse {
  if (asked.dialect !== 'openai' || asked.tools.includes(name)) return { name, input };
  if (asked.tools.includes('exec')) return { name: 'exec', ...script(`text(await tools.${name}(${JSON.stringify(input)}));\n`) };
  const [, namespace, inner] = /^(mcp__.+?)__(.+)$/.exec(name) ?? [];
  return namespace === undefined || inner === undefined ? { name, input } : { name: inner, namespace, input };
}
