/** What a hook costs an agent CLI, which calls one at every step: against a node that does nothing. */
import { cambium, cli, dist, git, makeClone, makeFleet, taskFiles } from './support/lab.mjs';
import { run } from './support/processes.mjs';
import { interleave, row, timed } from './support/stats.mjs';
import { join } from 'node:path';

export const title = 'A hook of an agent CLI';
export const note = 'Whole processes, from start to exit. “as a program” is `node dist/hook.js`, as spawned agents have it; “by cambium hook” goes by way of the command line, as sessions of people have it.';

const STOP = { session_id: 'bench', hook_event_name: 'Stop', stop_hook_active: false };
const WRITE = { session_id: 'bench', hook_event_name: 'PreToolUse', tool_name: 'Write', tool_input: { file_path: 'src/new.ts', content: 'x'.repeat(10_000) } };

export async function bench(lab, { full }) {
  const { hub } = await makeFleet(lab, 'hook', taskFiles(100));
  const dir = await makeClone(lab, hub, 'hook-a');
  await cambium(lab, dir, ['task', 'claim', '--agent', 'worker-1']);
  await git(lab, dir, ['status']);
  const program = join(dist, 'hook.js');
  const call = (argv, input, agent) => timed(() => run(process.execPath, argv, { cwd: dir, env: { ...lab.env, ...(agent === null ? {} : { CAMBIUM_AGENT: agent }) }, input: JSON.stringify(input) }));
  const values = await interleave({
    nothing: () => timed(() => run(process.execPath, ['-e', '0'], { cwd: dir, env: lab.env })),
    nobody: () => call([program, 'stop'], STOP, null),
    idle: () => call([program, 'stop'], STOP, 'worker-2'),
    idleByCli: () => call([cli, 'hook', 'stop'], STOP, 'worker-2'),
    holding: () => call([program, 'stop'], STOP, 'worker-1'),
    tool: () => call([program, 'pre-tool'], WRITE, 'worker-2'),
  }, { rounds: full ? 40 : 15, warmup: 2 });
  const against = { what: 'node -e 0', values: values.nothing };
  return [
    row({ what: 'stop where nobody is an agent, as a program', values: values.nobody, against, aim: 1.5 }),
    row({ what: 'stop of an agent that holds nothing, as a program', values: values.idle, against, aim: 1.5 }),
    row({ what: 'the same by cambium hook', values: values.idleByCli, against, aim: 1.75 }),
    row({ what: 'stop of an agent that holds a task, as a program', values: values.holding, against, aim: 2 }),
    row({ what: 'pre-tool of a file tool, as a program', values: values.tool, against, aim: 2.25 }),
  ];
}
