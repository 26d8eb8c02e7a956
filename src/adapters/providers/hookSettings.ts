/** The hooks section of each CLI's settings, and the one place where an argument vector becomes the string that they want. Pure. */
import { FILE_TOOLS, HOOK_NAMES, hookEvent } from '../../model/hook.ts';
import type { HookCli, HookName } from '../../model/hook.ts';

/** POSIX single quotes around every word that is not plain: the CLIs hand the string to `sh -c`. */
export function shellQuoted(argv: readonly string[]): string {
  return argv.map((word) => (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll('\'', '\'\\\'\'')}'`)).join(' ');
}

/** A drain claims over the network; codex ends a session-end hook after 3 s whatever is said here. */
const SECONDS: Readonly<Record<HookName, number>> = { 'session-start': 15, 'user-prompt': 10, 'pre-tool': 10, 'stop': 60, 'session-end': 10 };

interface Handler {
  readonly matcher?: string;
  readonly hooks: readonly { readonly type: 'command'; readonly command: string; readonly timeout: number }[];
}

/** By the CLI's own name of the moment. */
export type HookSection = Readonly<Record<string, readonly Handler[]>>;

/**
 * The `hooks` object for spawned agents: `{ "hooks": <this> }` is a settings file of claude and gemini, and codex's hooks.json.
 * `command` is `cambium hook` as an argument vector, to which the hook's name is added. `--spawned` tells these hooks from those
 * that a workspace's own settings bring along: in a spawn only these speak, in a person's session only those.
 */
export function hookSettings(command: readonly string[], cli: HookCli): HookSection {
  return sectionOf(command, cli, ['--spawned']);
}

/** The same for sessions that a person starts: `cambium` is found on PATH, so that the file is good for every machine. */
export function sessionHookSettings(cli: HookCli): HookSection {
  return sectionOf(['cambium', 'hook'], cli, []);
}

function sectionOf(command: readonly string[], cli: HookCli, more: readonly string[]): HookSection {
  return Object.fromEntries(HOOK_NAMES.map((name): [string, readonly Handler[]] => {
    const seconds = SECONDS[name];
    const run = { type: 'command' as const, command: shellQuoted([...command, name, '--for', cli, ...more]), timeout: cli === 'gemini' ? seconds * 1_000 : seconds };
    return [hookEvent(name, cli), [{ ...(name === 'pre-tool' ? { matcher: fileTools(cli) } : {}), hooks: [run] }]];
  }));
}

/** A pattern over the names of tools: no process is started for the others. */
function fileTools(cli: HookCli): string {
  if (cli === 'codex') return 'apply_patch|Edit|Write';
  return [...FILE_TOOLS].filter((name) => /^[A-Z]/.test(name) === (cli === 'claude')).join('|');
}
