/** `cambium hook install`. The hooks themselves are src/hook.ts. */
import { CambiumError } from '../errors.ts';
import { HOOK_CLIS, isHookCli } from '../model/hook.ts';
import type { HookCli } from '../model/hook.ts';
import { installHooks } from '../workspace/agentHooks.ts';
import type { Answer } from './output.ts';

/** What a CLI asks for before it runs them. */
const NEXT: Readonly<Record<HookCli, string>> = {
  claude: 'Claude Code runs them from the next session on.',
  codex: 'Codex runs them once the folder and the hooks are trusted: it asks at its next start, or see /hooks there.',
  gemini: 'Gemini CLI runs them once the folder is trusted.',
};

export async function hookInstallCommand({ for: asked }: { readonly for?: string | undefined }): Promise<Answer> {
  if (!isHookCli(asked)) throw new CambiumError('usage', asked === undefined ? 'Hooks of which CLI?' : `${asked} is no CLI that has hooks.`, { hint: `Add \`--for\` and one of ${HOOK_CLIS.join(', ')}.` });
  const data = await installHooks(process.cwd(), asked);
  const { path, added, created } = data;
  const did = added.length === 0 ? `${path} has them all already.` : `${created ? `Wrote ${path}` : `Added to ${path}; what was there stays as it was`}: ${added.join(', ')}.`;
  return { data, text: `${did}\n${NEXT[asked]} They are silent unless CAMBIUM_AGENT is set.` };
}
