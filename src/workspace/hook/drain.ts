/** `stop: drain` of an agent: where a task is ready for it, its stop claims that and hands it over; else the session ends. */
import { NOTHING } from '../../model/hook.ts';
import type { HookAnswer } from '../../model/hook.ts';
import { CambiumError } from '../../errors.ts';
import { claimBrief } from '../claimBrief.ts';
import { claimTask } from '../claimTask.ts';
import type { ClaimedTask } from '../claimTask.ts';
import { openClone } from '../compose.ts';
import { inSession } from '../session.ts';
import type { HookCall } from './call.ts';

export async function answer({ place, agent, state }: HookCall): Promise<HookAnswer> {
  const clone = await openClone({ cwd: place.root });
  try {
    return await inSession(clone, { needsHub: true, agent }, async (session): Promise<HookAnswer> => {
      const config = session.fleet.config.agents;
      if (!Object.hasOwn(config, agent) || config[agent]?.stop !== 'drain') return NOTHING;
      const won = await claimTask(session, { agent }).catch(nothingReady);
      if (won === null) return NOTHING;
      // Handing it over is reminder enough: the next stop under this claim is the agent's own decision.
      state.once(`claim-${won.task}.${won.epoch}`);
      return { kind: 'block', reason: handOver(won) };
    });
  } finally {
    await clone.close();
  }
}

function nothingReady(error: unknown): null {
  if (error instanceof CambiumError && ['nothing-ready', 'lost-race', 'refused', 'hub-away', 'hub-denied', 'outcome-unknown'].includes(error.code)) return null;
  throw error;
}

function handOver(won: ClaimedTask): string {
  const criteria = won.acceptance_criteria.length === 0 ? [] : ['', 'Acceptance criteria:', ...won.acceptance_criteria.map((text) => `- ${text}`)];
  return [`Your next task is ${won.task}: ${won.title}. It has been claimed for you.`, '', claimBrief(won), ...criteria].join('\n');
}
