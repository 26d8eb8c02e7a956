/** `cambium stop|pause|resume`: people's brakes for the fleet, an agent, a provider, a project. */
import { CambiumError } from '../errors.ts';
import { asPausable, pause, resume, resumeFleet, stopFleet } from '../workspace/stop.ts';
import { withSession } from '../workspace/session.ts';
import type { Answer } from './output.ts';

export interface StopFlags {
  readonly fleet?: boolean | undefined;
  readonly drain?: boolean | undefined;
  readonly freeze?: boolean | undefined;
  readonly why?: string | undefined;
}

export async function stopCommand({ fleet, drain, freeze, why }: StopFlags): Promise<Answer> {
  if (fleet !== true) throw new CambiumError('usage', 'Stop what?', { hint: 'The whole fleet: `cambium stop --fleet`. One agent, provider or project: `cambium pause agent worker-1`. One spawn: `cambium spawn stop <id>`. The daemon of this clone: Ctrl-C where it runs.' });
  if (drain === true && freeze === true) throw new CambiumError('usage', 'Drain or freeze?', { hint: '--drain lets running agents finish; --freeze holds them still.' });
  const mode = freeze === true ? 'freeze' : 'drain';
  return withSession({ needsHub: true }, async (session) => {
    const data = await stopFleet(session, mode, why ?? null);
    const running = mode === 'freeze' ? 'Running agents stand still, and their claims are kept.' : 'Running agents finish and land.';
    return { data, text: `${data.changed ? 'The fleet is stopped' : 'The fleet was stopped already'}: nothing is claimed or started any more. ${running}\nIt goes on with \`cambium resume --fleet\`.` };
  });
}

export async function pauseCommand(kind: string, name: string, why: string | undefined): Promise<Answer> {
  const pausable = asPausable(kind);
  return withSession({ needsHub: true }, async (session) => {
    const data = await pause(session, pausable, name, why ?? null);
    const text = { agent: 'It finishes what it does and gets nothing new.', provider: 'What it runs is finished; agents that have a fallback turn to that.', project: 'Its tasks wait; what runs is finished.' }[pausable];
    return { data, text: `The ${kind} ${name} is paused${data.changed ? '' : ' already'}. ${text}\nIt goes on with \`cambium resume ${kind} ${name}\`.` };
  });
}

/** Exit 3 where nothing was stopped. */
export async function resumeCommand(kind: string | undefined, name: string | undefined, { fleet }: Pick<StopFlags, 'fleet'>): Promise<Answer> {
  if ((fleet === true) === (kind !== undefined) || (kind === undefined) !== (name === undefined)) {
    throw new CambiumError('usage', 'What goes on?', { hint: '`cambium resume --fleet`, or `cambium resume agent|provider|project <name>`.' });
  }
  const what = kind === undefined ? 'The fleet' : `The ${kind} ${name}`;
  return withSession({ needsHub: true }, async (session) => {
    const data = kind === undefined ? await resumeFleet(session) : await resume(session, asPausable(kind), name as string);
    return { data, text: data.changed ? `${what} goes on: every node looks again within a cycle.` : `Nothing kept ${kind === undefined ? 'the fleet' : `the ${kind} ${name}`} back.`, exit: data.changed ? 0 : 3 };
  });
}
