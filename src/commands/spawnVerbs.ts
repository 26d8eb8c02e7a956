/** The noun `spawn` and the verb `cost` of the command line: options and help; what they do is loaded when they are called. */
import type { Command } from 'commander';
import { printAnswer, printError } from './output.ts';
import type { Answer } from './output.ts';

export interface VerbTools {
  /** Turns a verb's value or error into output and exit code. */
  readonly run: (command: Command, action: () => Promise<Answer>) => Promise<void>;
  /** An option's whole number. */
  readonly whole: (text: string) => number;
}

const ID = 'its id, or the beginning or end of it';

/** Returns the noun, for verbs that others add. */
export function addSpawnVerbs(program: Command, { run, whole }: VerbTools): Command {
  const spawn = program.command('spawn').description('agents at work: what they do, what became of them, and ending them');

  spawn.command('list').option('--agent <id>', 'only that agent\'s').option('--task <id>', 'only those of one task').option('--channel <name>', 'only those that answered in one channel')
    .option('--live', 'only those that have not ended').option('--since <time>', 'only those that began since: 30m, 12h, 7d or a date').option('-n, --limit <count>', 'how many', whole, 20)
    .description('spawns of the whole fleet, newest first')
    .action((options: { agent?: string; task?: string; channel?: string; live?: boolean; since?: string; limit: number }, command: Command) => run(command, async () => (await import('./spawn.ts')).listCommand(options)));

  spawn.command('show').argument('<id>', ID).description('one spawn, whole: what for, by whom, its processes, files, limits, report')
    .action((id: string, _options: unknown, command: Command) => run(command, async () => (await import('./spawn.ts')).showCommand(id)));

  spawn.command('logs').argument('<id>', ID)
    .option('-f, --follow', 'go on until it has ended; Ctrl-C leaves it running').option('--tail <count>', 'only so many of the last lines', whole).option('--raw', 'the lines as its CLI printed them')
    .description('what a spawn of this machine said and did')
    .action(async (id: string, options: { follow?: boolean; tail?: number; raw?: boolean }, command: Command) => {
      const json = command.optsWithGlobals<{ json?: boolean }>().json === true;
      try {
        const answer = await (await import('./spawnLogs.ts')).logsCommand(id, { ...options, json });
        if (answer !== null) printAnswer(answer, false);
      } catch (error) {
        printError(error, json);
      }
    });

  spawn.command('health').description('whether those under way are well; exit 1 when one is not')
    .action((_options: unknown, command: Command) => run(command, async () => (await import('./spawn.ts')).healthCommand()));

  spawn.command('cleanup').option('--keep-days <days>', 'days after its end for which a folder stays; archive.spawn_days of cambium.yaml when unsaid', whole).option('--unrecorded', 'also folders of ended spawns that no record tells of')
    .description('mark the dead as lost, end what they left running, remove old folders of this machine')
    .action((options: { keepDays?: number; unrecorded?: boolean }, command: Command) => run(command, async () => (await import('./spawn.ts')).cleanupCommand(options)));

  spawn.command('chain').argument('[id]', 'the chain of this spawn; those with a live one when unsaid').option('--channel <name>', 'chains that answered in one channel').option('--all', 'every chain').option('-n, --limit <count>', 'how many chains', whole, 20)
    .description('which spawn caused which, as a tree with times and cost')
    .action((id: string | undefined, options: { channel?: string; all?: boolean; limit: number }, command: Command) => run(command, async () => (await import('./spawnChain.ts')).chainCommand({ ...options, id })));

  spawn.command('stop').argument('<id>', ID).option('--why <text>', 'the reason, for the claim\'s release')
    .description('end a spawn of this machine with all that it started; its claim is given back')
    .action((id: string, options: { why?: string }, command: Command) => run(command, async () => (await import('./spawn.ts')).stopCommand(id, options)));

  program.command('cost').option('--by <what>', 'agent, task, day, model or provider', 'agent').option('--since <time>', 'only spawns that began since: 30m, 12h, 7d or a date')
    .description('tokens and dollars that agents have taken')
    .action((options: { by?: string; since?: string }, command: Command) => run(command, async () => (await import('./cost.ts')).costCommand(options)));

  return spawn;
}
