#!/usr/bin/env node
/** The command line: a thin door. Each verb parses, calls one function, prints. Verbs are loaded when they are called. */
import { packageVersion } from './adapters/system/version.ts';
import { printAnswer, printError } from './commands/output.ts';
import type { Answer } from './commands/output.ts';
import { addSpawnVerbs } from './commands/spawnVerbs.ts';
import { addTalkVerbs } from './commands/talkVerbs.ts';
import { CambiumError } from './errors.ts';
import { isHookName } from './model/hook.ts';

// An agent CLI calls its hooks at every step: they end in hook.ts, before anything of the command line is loaded.
if (process.argv[2] === 'hook' && isHookName(process.argv[3]) && !process.argv.includes('--help')) await import('./hook.ts');

const { Command, InvalidArgumentError } = await import('commander');
type Command = import('commander').Command;

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

program.command('prompt').argument('[agent]', 'the agent (or CAMBIUM_AGENT)')
  .option('--task <id>', 'for this task; the most urgent that fits when unsaid').option('--channel <name>', 'for what calls for it in this channel').option('--sizes', 'the size of each part instead').option('--node <name>', 'name of this node (or CAMBIUM_NODE)')
  .description('exactly what the agent would be told if it were started now')
  .action((agent: string | undefined, options: { task?: string; channel?: string; sizes?: boolean; node?: string }, command: Command) => run(command, async () => (await import('./commands/prompt.ts')).promptCommand({ agent, ...options })));

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

task.command('wait').argument('<id...>').option('--timeout <duration>', 'how long at most; 30m when unsaid', duration).option('--reports', 'the beginning of each report as well')
  .description('wait until these tasks have ended, or need a person: exit 0 all are done, 1 otherwise, 75 time is up')
  .action((ids: string[], options: { timeout?: number; reports?: boolean }, command: Command) => run(command, async () => (await import('./commands/taskWait.ts')).waitCommand(ids, { ...options, json: command.optsWithGlobals<{ json?: boolean }>().json === true })));

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

program.command('stop').option('--fleet', 'the whole fleet').option('--drain', 'let running agents finish and land; so when unsaid').option('--freeze', 'hold running agents still, their claims kept')
  .option('--why <text>', 'the reason, shown everywhere')
  .description('stop the fleet: nothing is claimed or started on any node until `cambium resume --fleet`')
  .action((options: { fleet?: boolean; drain?: boolean; freeze?: boolean; why?: string }, command: Command) => run(command, async () => (await import('./commands/stop.ts')).stopCommand(options)));

program.command('pause').argument('<kind>', 'agent, provider or project').argument('<name>').option('--why <text>', 'the reason, shown everywhere')
  .description('start nothing new for one agent, provider or project; what runs is finished')
  .action((kind: string, name: string, options: { why?: string }, command: Command) => run(command, async () => (await import('./commands/stop.ts')).pauseCommand(kind, name, options.why)));

program.command('resume').argument('[kind]', 'agent, provider or project').argument('[name]').option('--fleet', 'the whole fleet')
  .description('let go on what was stopped or paused, or a provider that is parked')
  .action((kind: string | undefined, name: string | undefined, options: { fleet?: boolean }, command: Command) => run(command, async () => (await import('./commands/stop.ts')).resumeCommand(kind, name, options)));

const provider = program.command('provider').description('what runs agents');

provider.command('list').description('what can run agents on this machine, who uses it, and what is parked until when')
  .action((_options: unknown, command: Command) => run(command, async () => (await import('./commands/provider.ts')).providersCommand()));

provider.command('resume').argument('<name>').description('ask a parked or paused provider again, on every node')
  .action((name: string, _options: unknown, command: Command) => run(command, async () => (await import('./commands/stop.ts')).resumeCommand('provider', name, {})));

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


const leased = (command: Command): Command => command.option('--agent <id>', 'who holds it (or CAMBIUM_AGENT); the person when unsaid').option('--node <name>', 'name of this node (or CAMBIUM_NODE)')
  .option('--why <text>', 'what for; of --force: why, on record').option('--force', 'a person takes, or ends, what somebody else holds');
type Leased = { agent?: string; node?: string; ttl?: number; why?: string; force?: boolean; all?: boolean };

const lock = leased(program.command('lock').argument('<name>').option('--ttl <duration>', 'how long it is honoured without a renewal; 10m when unsaid', duration))
  .description('take a named lock, or renew one\'s own; advisory')
  .action((name: string, options: Leased, command: Command) => run(command, async () => (await import('./commands/lock.ts')).lockCommand(name, options)));

lock.command('list').description('what is locked and reserved, by whom, and for how long')
  .action((_options: unknown, command: Command) => run(command, async () => (await import('./commands/lock.ts')).lockListCommand()));

leased(program.command('unlock').argument('[name]').option('--all', 'all that is held, reservations too'))
  .description('give a lock back')
  .action((name: string | undefined, options: Leased, command: Command) => run(command, async () => (await import('./commands/lock.ts')).unlockCommand(name, options)));

leased(program.command('reserve').argument('<glob...>', 'paths of the tree, in quotes').option('--ttl <duration>', 'how long it is honoured without a renewal; 10m when unsaid', duration))
  .description('reserve paths, so that other agents leave them alone; advisory')
  .action((globs: string[], options: Leased, command: Command) => run(command, async () => (await import('./commands/lock.ts')).reserveCommand(globs, options)));

leased(program.command('unreserve').argument('[glob...]', 'these; all of one\'s own when unsaid'))
  .description('give reserved paths back')
  .action((globs: string[], options: Leased, command: Command) => run(command, async () => (await import('./commands/lock.ts')).unreserveCommand(globs, options)));

const hook = program.command('hook').description('what agent CLIs call at each step of a session; silent unless CAMBIUM_AGENT is set');

// Called as agent CLIs call them they have ended above; here they are for --help.
for (const [name, description] of Object.entries({ 'session-start': 'tell a session who it is and what it holds', 'user-prompt': 'tell it what came to its inbox', 'pre-tool': 'refuse a write that would not land', 'stop': 'remind it of a held task, or hand over the next', 'session-end': 'give back its locks' })) {
  hook.command(name).description(description).option('--for <cli>', 'claude, codex or gemini; seen from its JSON when unsaid').option('--agent <id>', 'who the session is (or CAMBIUM_AGENT)').option('--spawned', 'for spawns of the engine only')
    .action(async () => void (await import('./hook.ts')));
}

hook.command('install').option('--for <cli>', 'claude, codex or gemini').description('write the hooks of an agent CLI into this workspace, beside what is there')
  .action((options: { for?: string }, command: Command) => run(command, async () => (await import('./commands/hookInstall.ts')).hookInstallCommand(options)));

const spawn = addSpawnVerbs(program, { run, whole });
addTalkVerbs(program, spawn, { run, whole, duration });

function requireEpoch<T extends { epoch?: number }>(options: T): T & { epoch: number } {
  if (options.epoch !== undefined) return { ...options, epoch: options.epoch };
  throw new CambiumError('usage', 'Which epoch?', { hint: 'Add `--epoch N`: it is in the answer of `cambium task claim`.' });
}

program.version(packageVersion());
await program.parseAsync();
