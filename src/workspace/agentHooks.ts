/** Hooks of agent CLIs for the sessions that a person starts: a file for each CLI, merged into what stands there. */
import { join } from 'node:path';
import { sessionHookSettings } from '../adapters/providers/hookSettings.ts';
import { readInside, writeInside } from '../adapters/system/insideFile.ts';
import { CambiumError } from '../errors.ts';
import type { HookCli } from '../model/hook.ts';
import { findPlace } from './compose.ts';

/** Where each CLI looks, from the top of the workspace. */
export const HOOK_FILES: Readonly<Record<HookCli, string>> = { claude: '.claude/settings.json', codex: '.codex/hooks.json', gemini: '.gemini/settings.json' };

/** The file's text for a new workspace. */
export const hookFile = (cli: HookCli): string => `${JSON.stringify({ hooks: sessionHookSettings(cli) }, null, 2)}\n`;

export interface InstalledHooks {
  /** Relative to the top of the workspace. */
  readonly path: string;
  /** The CLI's names of the hooks that were added; empty when all were there. */
  readonly added: readonly string[];
  readonly created: boolean;
}

/** Adds what is missing and changes nothing else. Throws `refused` for a file that is no JSON object, and in the framework's own repository. */
export async function installHooks(cwd: string, cli: HookCli): Promise<InstalledHooks> {
  const { root } = await findPlace(cwd);
  if (root === null) throw new CambiumError('usage', 'A bare clone has no checkout that a session could start in.', { hint: 'Run it in a clone with a checkout.' });
  if (await isFramework(root)) throw new CambiumError('refused', 'This is the framework\'s own repository: hooks in it would speak to everybody who develops it.', { hint: 'Run it in a workspace made by `cambium init`; spawned agents get their hooks by flags.' });
  const path = HOOK_FILES[cli];
  const before = await readInside(root, path);
  const settings = before === null ? {} : parseSettings(path, before);
  const { merged, added } = mergeHooks(path, settings, sessionHookSettings(cli));
  if (added.length > 0) await writeInside(root, path, `${JSON.stringify(merged, null, 2)}\n`);
  return { path, added, created: before === null };
}

type Settings = Readonly<Record<string, unknown>>;

function parseSettings(path: string, bytes: Uint8Array): Settings {
  const value = tryJson(Buffer.from(bytes).toString('utf8'));
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Settings;
  throw new CambiumError('refused', `${path} is no plain JSON object, so it was left as it is.`, { hint: 'Take out comments and trailing commas, or move it away and run this again.' });
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A hook of ours is known by its command, whatever else a person has changed about it. */
function mergeHooks(path: string, settings: Settings, ours: ReturnType<typeof sessionHookSettings>): { readonly merged: Settings; readonly added: readonly string[] } {
  const before = settings['hooks'] ?? {};
  if (typeof before !== 'object' || Array.isArray(before)) throw new CambiumError('refused', `\`hooks\` of ${path} is no object, so it was left as it is.`, { hint: 'Correct it and run this again.' });
  const hooks: Record<string, unknown> = { ...before };
  const added = Object.entries(ours).filter(([event, handlers]) => {
    const there = hooks[event] ?? [];
    if (!Array.isArray(there)) throw new CambiumError('refused', `\`hooks.${event}\` of ${path} is no list, so it was left as it is.`, { hint: 'Correct it and run this again.' });
    if (JSON.stringify(there).includes(JSON.stringify(handlers[0]?.hooks[0]?.command))) return false;
    hooks[event] = [...(there as readonly unknown[]), ...handlers];
    return true;
  });
  return { merged: { ...settings, hooks }, added: added.map(([event]) => event) };
}

/** DESIGN 9: people develop the framework in its repository with agent CLIs, and no fleet speaks to them there. */
export async function isFramework(root: string): Promise<boolean> {
  const text = await readInside(root, 'package.json').catch(() => null);
  const described = text === null ? undefined : tryJson(Buffer.from(text).toString('utf8'));
  return (described as { readonly name?: unknown } | undefined | null)?.name === 'cambium' && (await readInside(root, join('src', 'cli.ts')).catch(() => null)) !== null;
}
