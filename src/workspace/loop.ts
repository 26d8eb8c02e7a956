/** Wires one node's loop for `up`, `cycle` and `sync`. */
import { join } from 'node:path';
import { createHeart } from '../act/heartbeat.ts';
import type { Node } from '../act/node.ts';
import { createProjectDesk } from '../act/project/site.ts';
import { endRun } from '../act/run/end.ts';
import type { Workshop } from '../act/run/workshop.ts';
import { createProviders } from '../adapters/providers/registry.ts';
import { createSystemMachine } from '../adapters/system/machine.ts';
import { openDecisionLog } from '../adapters/system/decisionLog.ts';
import { shippedFile } from '../adapters/system/version.ts';
import { builtPrograms } from '../adapters/system/programs.ts';
import { CambiumError, isHubAway } from '../errors.ts';
import type { FleetConfig } from '../model/config.ts';
import { limitDeeds, openParks } from '../cycle/limits.ts';
import { createDecisions } from '../cycle/decisions.ts';
import type { Loop } from '../cycle/loop.ts';
import { freshState } from '../cycle/state.ts';
import type { Focus } from '../cycle/state.ts';
import { nodeRef } from '../model/layout.ts';
import type { Answer } from '../model/answer.ts';
import type { Run } from '../model/run.ts';
import type { HubView } from '../observe/hubMirror.ts';
import { createTalkReader } from '../observe/talk.ts';
import { fenceDeadlineMs } from '../model/lease.ts';
import { agentNamed, agentsOf } from '../orient/agents.ts';
import type { DecisionLog } from '../ports/decisionLog.ts';
import type { Machine } from '../ports/machine.ts';
import type { Provider } from '../ports/provider.ts';
import type { Clone } from './clone.ts';
import type { Lives } from './lives.ts';

export interface LoopOptions {
  readonly clone: Clone;
  readonly node: Node;
  readonly lives: Lives;
  readonly agents: readonly string[] | null;
  readonly say: Workshop['say'];
  /** Only this is begun. */
  readonly focus?: Focus;
  /** What tells how much room there is; this machine when unsaid. */
  readonly machine?: Machine;
  /** Where decisions go on record; the clone's own log when unsaid. */
  readonly log?: DecisionLog;
}

/** Throws `node-taken` when another clone beats under this name. */
export async function openLoop({ clone, node, lives, agents, log, ...options }: LoopOptions): Promise<Loop> {
  const view = await viewOf(clone);
  const fleet = await clone.fleets.read(view);
  const state = freshState(fleet.config.timings.fetchMs);
  state.fleet = fleet;
  state.focus = options.focus ?? null;
  const tip = view.refs.get(nodeRef(node.identity.node)) ?? null;
  await requireOwnName(clone, node, lives, tip);
  const config = (): FleetConfig => (state.fleet ?? fleet).config;
  const providers = providersOf(config);
  const decisions = createDecisions(log ?? decisionLogOf(clone), node.identity.node, node.clock);
  const say: Workshop['say'] = (event, fields = {}) => {
    const run = state.runs.get(String(fields['task']));
    decisions.hear(event, { agent: run?.agent, epoch: run?.epoch, ...fields });
    options.say(event, fields);
  };
  state.limits.parks = await openParks(node, fleet);
  const shop: Workshop = {
    node, reader: clone.reader, worktrees: clone.worktrees, say, config,
    get providers() {
      return providers();
    },
    projects: createProjectDesk({ node, projects: () => clone.projects, config }),
    scratch: (spawn) => join(clone.workDir, 'spawns', spawn),
    home: (agent) => join(clone.stateDir, 'homes', agent),
    shipped: shippedFile,
    hook: [process.execPath, builtPrograms().hook],
    machine: options.machine ?? createSystemMachine(clone.workDir),
    ...limitDeeds({ node, config, say, fleet: () => state.fleet ?? fleet }, state),
    fleet: () => state.fleet ?? fleet,
    agent: (id) => agentNamed(config(), id),
    fenceAtMs: (run) => fenceDeadlineMs(state.renewed.get(`${run.task}.${run.epoch}`) ?? 0, run.ttlMs),
  };
  for (const key of await clone.local.list('runs/')) {
    const run = (await clone.local.read(key)) as Run;
    // After a reboot nothing of it runs any more, and the new life may not renew the old one's claims (P4.1).
    const isAlive = run.incarnation === node.identity.incarnation || run.phase === 'ending' || run.phase === 'fenced';
    state.runs.set(run.task, isAlive ? run : await endRun(shop, run, { kind: 'release', reason: 'the node was restarted' }));
  }
  for (const key of await clone.local.list('answers/')) {
    const answer = (await clone.local.read(key)) as Answer;
    // After a reboot nothing of it runs any more; what was asked is asked again.
    state.answers.set(answer.key, answer.incarnation === node.identity.incarnation ? answer : { ...answer, phase: 'fenced' });
  }
  return {
    shop, talk: createTalkReader(clone.store), fleets: clone.fleets, checkout: await clone.checkout(), heart: await createHeart(node, clone.reader, tip), state, decisions,
    pastIncarnations: lives.past, agents: () => agentsOf(config(), node.identity.node, agents),
  };
}

/** Beside the runs in the git directory, so that it outlives `.cambium/`. */
export function decisionLogOf({ stateDir }: Pick<Clone, 'stateDir'>): DecisionLog {
  return openDecisionLog(join(stateDir, 'decisions'));
}

/** A node that starts while the hub is away works on with what it last saw, and claims nothing meanwhile. */
async function viewOf({ mirror }: Clone): Promise<HubView> {
  try {
    return await mirror.refresh();
  } catch (error) {
    if (isHubAway(error) && mirror.known().main !== null) return mirror.known();
    throw error;
  }
}

/** Command providers are defined in cambium.yaml, which is reloaded live. */
function providersOf(config: () => FleetConfig): () => ReadonlyMap<string, Provider> {
  let built: { readonly from: FleetConfig['providers']; readonly providers: ReadonlyMap<string, Provider> } | null = null;
  return () => {
    const from = config().providers;
    if (built?.from !== from) built = { from, providers: createProviders(from) };
    return built.providers;
  };
}

async function requireOwnName(clone: Clone, node: Node, lives: Lives, tip: string | null): Promise<void> {
  if (tip === null) return;
  const { heartbeat } = await clone.reader.node(tip);
  if (heartbeat === null || [node.identity.incarnation, ...lives.past].includes(heartbeat.record.incarnation)) return;
  throw new CambiumError('node-taken', `The name ${node.identity.node} belongs to another clone of this fleet (${heartbeat.record.version}, beat ${heartbeat.record.seq}).`, {
    hint: 'Start this one under a name of its own: `cambium up --node <name>`.',
  });
}
