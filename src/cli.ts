#!/usr/bin/env node
/** The command line: a thin door. Each verb parses, calls one function, prints. Verbs are loaded when they are called. */
import { Command, InvalidArgumentError } from 'commander';
import { packageVersion } from './adapters/system/version.ts';
import { printAnswer, printError } from './commands/output.ts';
import type { Answer } from './commands/output.ts';
import { CambiumError } from './errors.ts';

// A reader that has seen enough (`cambium log | head`) is no failure.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  if (code === 'EPIPE') process.exit(0);
});

const program = new Command('cambium');

/** A usage error comes before the options are parsed. */
const wantsJson = (): boolean => process.argv.includes('--json');

type Action = () => Promise<Answer>;

/** Runs a verb and turns its value or error into output and exit code. */
async function run(command: Command, action: Action): Promise<void> {
  const json = command.optsWithGlobals<{ json?: boolean }>().json === true;
  try {
    printAnswer(await action(), json);
  } catch (error) {
    printError(error, json);
  }
}

function whole(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError('It must be a whole number.');
}

function duration(text: string): number {
  const found = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  if (found === null) throw new InvalidArgumentError('Write a number and a unit: 500ms, 30s, 10m or 1h.');
  return Number(found[1]) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[found[2] as 'ms' | 's' | 'm' | 'h'];
}

const collect = (value: string, before: string[]): string[] => [...before, value];

program
  .description('A fleet of coding agents, coordinated through one git repository.')
  .option('--json', 'print one JSON object: {"ok":…,"data"|"error":…}')
  .showHelpAfterError('(run with --help for the options)')
  .configureHelp({ showGlobalOptions: true })
  .configureOutput({ writeErr: (text) => void (wantsJson() ? undefined : process.stderr.write(text)) })
  .exitOverride((error) => {
    // commander ends with 1 for usage errors; ours is 2 (docs/cli.md).
    if (error.exitCode !== 0 && wantsJson()) printError(new CambiumError('usage', error.message.replace(/^error: /, '')), true);
    process.exit(error.exitCode === 0 ? 0 : 2);
  })
  .addHelpText('after', `
Examples:
  $ cambium init my-fleet && cd my-fleet && cambium up
  $ cambium task add "Add a login form" --body notes.md
  $ cambium status

Exit codes: 0 ok · 1 refused, failed or race lost · 2 usage or config · 3 nothing to do · 70 bug · 75 hub away, try later`);

program.command('init').argument('[dir]', 'folder of the workspace; the current one when unsaid')
  .option('--yes', 'take the defaults; nothing is asked anyway')
  .option('--branch <branch>', 'branch that the fleet lives on; another than HEAD\'s gets a folder of its own beside this one')
  .description('make a workspace in a new folder or an existing repository')
  .action((dir: string | undefined, options: { branch?: string }, command: Command) => run(command, async () => (await import('./commands/init.ts')).initCommand(dir, options)));

program.command('join').argument('<url>', 'address or path of the remote that becomes the hub')
  .option('--node <name>', 'name of this node')
  .description('make a remote the hub of this workspace, or join the fleet that is there')
  .action((url: string, options: { node?: string }, command: Command) => run(command, async () => (await import('./commands/join.ts')).joinCommand(url, options)));

program.command('clone').argument('<url>').argument('[dir]')
  .option('--node <name>', 'name of this node')
  .description('bring this machine into a fleet')
  .action((url: string, dir: string | undefined, options: { node?: string }, command: Command) => run(command, async () => (await import('./commands/join.ts')).cloneCommand(url, dir, options)));

program.command('up')
  .option('--node <name>', 'name of this node')
  .option('--agents <ids>', 'run these agents, comma-separated, instead of those cambium.yaml gives to this node')
  .option('--until-idle', 'end with 0 when nothing is left that this node does or could come to run')
  .option('--idle [duration]', 'end when nothing was to do for so long: 30s, 10m; timings.idle of cambium.yaml when unsaid', duration)
  .option('--on-exit <choice>', 'what becomes of running agents: release their claims, or keep them for the next daemon', 'release')
  .description('run the daemon of this clone; Ctrl-C ends it gently, a second Ctrl-C at once')
  .action(async (options: { node?: string; agents?: string; untilIdle?: boolean; idle?: number | true; onExit?: string }, command: Command) => {
    const json = command.optsWithGlobals<{ json?: boolean }>().json === true;
    try {
      await (await import('./commands/up.ts')).up({ ...options, onExit: options.onExit === 'keep' ? 'keep' : 'release', json });
    } catch (error) {
      printError(error, json);
    }
    // chokidar and helper processes may hold the loop open; everything that must last is on disk.
    process.exit();
  });

program.command('cycle')
  .option('--node <name>', 'name of this node').option('--agents <ids>', 'act for these agents, comma-separated')
  .option('--dry-run', 'tell what it would do and why, and change nothing')
  .description('do what is to be done now, then end (no daemon)')
  .action((options: { node?: string; agents?: string; dryRun?: boolean }, command: Command) => run(command, async () => (await import('./commands/cycle.ts')).cycleCommand(options)));

program.command('sync')
  .option('--yes', 'publish even many deletions')
  .description('publish your saved edits and bring your checkout up to date, once')
  .action((options: { yes?: boolean }, command: Command) => run(command, async () => (await import('./commands/sync.ts')).syncCommand(options)));

program.command('upgrade')
  .option('--to <version>', 'tag, branch or commit of the upstream; its newest release when unsaid').option('--from <url>', 'repository of the framework; remembered')
  .option('--check', 'only tell what would change').option('--keep <path>', 'keep yours where both sides changed it; repeatable', collect, [])
  .description('bring newer framework code into this workspace; its tasks, agents and settings are not touched')
  .action((options: { to?: string; from?: string; check?: boolean; keep: string[] }, command: Command) => run(command, async () => (await import('./commands/upgrade.ts')).upgradeCommand(options)));

program.command('clean').option('--examples', 'the example tasks that come with cambium, and what they made')
  .description('remove what was only there to be tried out')
  .action((options: { examples?: boolean }, command: Command) => run(command, async () => (await import('./commands/clean.ts')).cleanCommand(options)));

program.command('check').argument('[files...]', 'files or folders to speak of; everything the fleet reads when unsaid')
  .option('--strict', 'count warnings as errors')
  .description('hold cambium.yaml, tasks and the other files of the fleet against their formats; exit 1 with errors')
  .action((files: string[], options: { strict?: boolean }, command: Command) => run(command, async () => (await import('./commands/check.ts')).checkCommand(files, options)));

program.command('status').description('is all well, what runs, what is stuck, what is next')
  .action((_options: unknown, command: Command) => run(command, async () => (await import('./commands/status.ts')).statusCommand()));

program.command('log').option('-n, --limit <count>', 'how many commits', whole, 20).option('--task <id>', 'only those of one task')
  .option('--decisions', 'what was decided and why, by this node and by the others, instead of commits')
  .description('what happened, newest first')
  .action((options: { limit: number; task?: string; decisions?: boolean }, command: Command) => run(command, async () => (await import('./commands/log.ts')).logCommand(options)));

program.command('show').argument('<task>').description('one task, whole: instruction, claim chain, attempts, commits, result, diff')
  .action((id: string, _options: unknown, command: Command) => run(command, async () => (await import('./commands/show.ts')).showWholeCommand(id)));

program.command('explain').argument('<task>', 'id of a task')
  .description('why a task is not running, and what would make it run')
  .action((id: string, _options: unknown, command: Command) => run(command, async () => (await import('./commands/explain.ts')).explainCommand(id)));

const task = program.command('task').description('the task queue');

const fields = (command: Command): Command => command
  .option('--body <file>', 'instruction text: a Markdown file, or - for standard input')
  .option('--depends <ids>', 'ids that must be done first, comma-separated').option('--assign <agent>', 'only this agent may take it')
  .option('--priority <0-4>', '0 is the most urgent; 2 when unsaid').option('--role <role>', 'role it needs').option('--requires <capabilities>', 'capabilities the agent must have, comma-separated')
  .option('--provider <name>', 'run it with this provider').option('--model <name>', 'model of that provider').option('--verify <command>', 'command that must pass before it lands')
  .option('--review <who>', 'human, or the agent that must approve it before it lands').option('--project <name>', 'repository of cambium.yaml that it works in')
  .option('--context <paths>', 'context files, comma-separated').option('--criterion <text>', 'an acceptance criterion; repeatable', collect, [])
  .option('--labels <words>', 'comma-separated').option('--not-before <time>', 'UTC time before which it waits');

fields(task.command('add').argument('[title]').option('--id <id>', 'its id; made from the title when unsaid').option('--from <file>', 'read the task, or a list of them, as JSON from a file, or - for standard input (also: --json FILE)'))
  .description('add a task; it is on the hub before this returns')
  .action((title: string | undefined, options: { criterion: string[]; from?: string }, command: Command) => run(command, async () => {
    // The program's own --json takes no value, so what stands after it comes as the title.
    const named = wantsJson() && options.from === undefined && (title === '-' || title?.endsWith('.json') === true) ? title : undefined;
    const { addCommand } = await import('./commands/taskAdd.ts');
    return addCommand(named === undefined ? title : undefined, { ...options, from: options.from ?? named, criteria: options.criterion });
  }));

fields(task.command('edit').argument('<id>').option('--title <text>', 'its title'))
  .description('change what a task says; an empty value takes a key out')
  .action((id: string, options: { criterion: string[] }, command: Command) => run(command, async () => (await import('./commands/taskEdit.ts')).editCommand(id, { ...options, criteria: options.criterion })));

task.command('list').option('--state <state>', 'only ready, held, blocked, waiting, input, review, done, failed or cancelled')
  .description('every task with its state and what it waits for')
  .action((options: { state?: string }, command: Command) => run(command, async () => (await import('./commands/taskShow.ts')).listCommand(options)));

task.command('ready').description('what can be claimed now, most urgent first')
  .action((_options: unknown, command: Command) => run(command, async () => (await import('./commands/taskShow.ts')).readyCommand()));

task.command('show').argument('<id>').description('one task: state, claim chain, instruction, result')
  .action((id: string, _options: unknown, command: Command) => run(command, async () => (await import('./commands/taskShow.ts')).showCommand(id)));

const held = (name: string, description: string): Command => task.command(name).argument('<id>').description(description)
  .option('--agent <id>', 'who holds it (or CAMBIUM_AGENT)').option('--node <name>', 'name of this node (or CAMBIUM_NODE)').option('--epoch <n>', 'epoch of the claim', whole);

type Held = { agent?: string; node?: string; epoch: number; result?: string; reason?: string };

task.command('claim').argument('[id]', 'this task; the most urgent that fits when unsaid')
  .option('--agent <id>', 'who claims (or CAMBIUM_AGENT)').option('--node <name>', 'name of this node (or CAMBIUM_NODE)')
  .description('claim a task: exit 0 won, 1 lost or refused, 3 nothing ready')
  .action((id: string | undefined, options: { agent?: string; node?: string }, command: Command) => run(command, async () => (await import('./commands/taskClaim.ts')).claimCommand(id, options)));

held('renew', 'keep a claim alive where no daemon does').option('--accept-edit', 'go on with the instruction as it was edited under the claim')
  .action((id: string, options: Held, command: Command) => run(command, async () => (await import('./commands/taskClaim.ts')).renewCommand(id, requireEpoch(options))));

held('complete', 'land what stands in the worktree, with its result').option('--result <file>', 'report: a Markdown file, or - for standard input')
  .action((id: string, options: Held, command: Command) => run(command, async () => (await import('./commands/taskComplete.ts')).completeCommand(id, requireEpoch(options))));

held('fail', 'end a task as failed').option('--result <file>', 'report: a Markdown file, or - for standard input').option('--reason <text>', 'why')
  .action((id: string, options: Held, command: Command) => run(command, async () => (await import('./commands/taskComplete.ts')).failCommand(id, requireEpoch(options))));

held('release', 'give a claim back, or a task that waits for a person').option('--reason <text>', 'why')
  .action((id: string, options: Held, command: Command) => run(command, async () => (await import('./commands/taskClaim.ts')).releaseCommand(id, options)));

const judged = (name: string, description: string): Command => task.command(name).argument('<id>').description(description)
  .option('--why <text>', 'the reason').option('--commit <oid>', 'the commit that was looked at; refused when another is under review by now');

judged('approve', 'let reviewed work land')
  .action((id: string, options: { why?: string; commit?: string }, command: Command) => run(command, async () => (await import('./commands/taskReview.ts')).approveCommand(id, options)));

judged('reject', 'send reviewed work back; the reason joins the next prompt')
  .action((id: string, options: { why?: string; commit?: string }, command: Command) => run(command, async () => (await import('./commands/taskReview.ts')).rejectCommand(id, options)));

task.command('cancel').argument('<id>').option('--reason <text>', 'why').description('end a task without doing it')
  .action((id: string, options: { reason?: string }, command: Command) => run(command, async () => (await import('./commands/taskEnd.ts')).cancelCommand(id, options)));

task.command('retry').argument('<id>').option('--reason <text>', 'why').description('make a failed or cancelled task ready again')
  .action((id: string, options: { reason?: string }, command: Command) => run(command, async () => (await import('./commands/taskEnd.ts')).retryCommand(id, options)));

task.command('reopen').argument('<id>').option('--reason <text>', 'why').description('make an ended task ready again, even one that is done')
  .action((id: string, options: { reason?: string }, command: Command) => run(command, async () => (await import('./commands/taskEnd.ts')).reopenCommand(id, options)));

task.command('archive').argument('[id...]', 'these tasks; what the janitor would take when unsaid').option('--all-ended', 'every task that has ended, however young')
  .description('move ended tasks to tasks/archive and their claim chains into the hub\'s archive')
  .action((ids: string[], options: { allEnded?: boolean }, command: Command) => run(command, async () => (await import('./commands/taskArchive.ts')).archiveCommand(ids, options)));

const worker = program.command('worker').description('agents that work in sessions of their own');
const worked = (name: string, description: string): Command => worker.command(name).argument('[id]', 'the agent (or CAMBIUM_AGENT)').option('--node <name>', 'name of this node (or CAMBIUM_NODE)').description(description);

worked('register', 'join the roster').option('--capabilities <words>', 'what it can do, comma-separated').option('--role <role>', 'worker when unsaid')
  .action((id: string | undefined, options: { node?: string; capabilities?: string; role?: string }, command: Command) => run(command, async () => (await import('./commands/worker.ts')).registerCommand(id, options)));

worked('heartbeat', 'renew every claim that the agent won in this clone; exit 1 when one is lost')
  .action((id: string | undefined, options: { node?: string }, command: Command) => run(command, async () => (await import('./commands/worker.ts')).heartbeatCommand(id, options)));

worked('continue', 'whether its session has a reason to go on: exit 0 yes, 3 no').option('--max-idle <duration>', 'how long it may be idle; timings.idle of cambium.yaml when unsaid', duration)
  .action((id: string | undefined, options: { node?: string; maxIdle?: number }, command: Command) => run(command, async () => (await import('./commands/worker.ts')).continueCommand(id, { ...options, maxIdleMs: options.maxIdle })));

worker.command('list').description('who takes part, and what each does')
  .action((_options: unknown, command: Command) => run(command, async () => (await import('./commands/worker.ts')).workersCommand()));

const message = program.command('message').description('what agents and people say to each other');

message.command('send').argument('<text>', 'Markdown, or - for standard input').option('--channel <name>', 'general when unsaid').option('--to <agent>', 'an inbox instead of a channel').option('--reply-to <id>', 'the message it answers').option('--agent <id>', 'who speaks (or CAMBIUM_AGENT); the person when unsaid')
  .description('say something; @name mentions an agent')
  .action((text: string, options: { channel?: string; to?: string; replyTo?: string; agent?: string }, command: Command) => run(command, async () => (await import('./commands/message.ts')).sendCommand(text, options)));

message.command('list').option('--since <time>', 'only what was said after it').option('--channel <name>', 'only that channel').option('--inbox <agent>', 'that agent\'s inbox as well')
  .description('what was said, oldest first')
  .action((options: { since?: string; channel?: string; inbox?: string }, command: Command) => run(command, async () => (await import('./commands/message.ts')).messagesCommand(options)));

function requireEpoch<T extends { epoch?: number }>(options: T): T & { epoch: number } {
  if (options.epoch !== undefined) return { ...options, epoch: options.epoch };
  throw new CambiumError('usage', 'Which epoch?', { hint: 'Add `--epoch N`: it is in the answer of `cambium task claim`.' });
}

program.version(packageVersion());
await program.parseAsync();
