/** The verbs by which people and agents speak: `message`, `send`, `ask`, `answer`, `channel`, and `spawn run` and `talk`. What they do is loaded when they are called. */
import type { Command } from 'commander';
import type { VerbTools } from './spawnVerbs.ts';

export interface TalkTools extends VerbTools {
  /** An option's duration in milliseconds. */
  readonly duration: (text: string) => number;
}

const asksJson = (command: Command): boolean => command.optsWithGlobals<{ json?: boolean }>().json === true;

export function addTalkVerbs(program: Command, spawn: Command, { run, whole, duration }: TalkTools): void {
  const message = program.command('message').description('what agents and people say to each other');

  message.command('send').argument('<text>', 'Markdown, or - for standard input').option('--channel <name>', 'general when unsaid').option('--to <agent>', 'an inbox instead of a channel').option('--reply-to <id>', 'the message it answers').option('--agent <id>', 'who speaks (or CAMBIUM_AGENT); the person when unsaid')
    .description('say something; @name mentions an agent')
    .action((text: string, options: { channel?: string; to?: string; replyTo?: string; agent?: string }, command: Command) => run(command, async () => (await import('./message.ts')).sendCommand(text, options)));

  message.command('list').option('--since <time>', 'only what was said after it').option('--channel <name>', 'only that channel').option('--inbox <agent>', 'that agent\'s inbox as well')
    .description('what was said, oldest first')
    .action((options: { since?: string; channel?: string; inbox?: string }, command: Command) => run(command, async () => (await import('./message.ts')).messagesCommand(options)));

  program.command('send').argument('<text>', 'Markdown, or - for standard input; `#design @prime …` names the channel first')
    .option('--channel <name>', 'general when unsaid').option('--to <agent>', 'an inbox instead of a channel').option('--reply-to <id>', 'the message it answers')
    .option('--wait [duration]', 'wait for the answers of everybody it calls, 15m when unsaid', duration).option('--agent <id>', 'who speaks (or CAMBIUM_AGENT); the person when unsaid')
    .description('say something and wake who is mentioned: @agent, @all, @role:reviewer; @human ends an exchange')
    .action((text: string, options: { channel?: string; to?: string; replyTo?: string; wait?: number | true; agent?: string }, command: Command) => run(command, async () => (await import('./channel.ts')).sendCommand(text, options)));

  program.command('ask').argument('<words...>', 'the agents (@prime @zealot, @role:reviewer, @all), and then the question, or - for standard input').option('--blind', 'each in its inbox, on main as it is now: none sees what the others say until all have answered').option('--channel <name>', 'where it is asked, general when unsaid; with --blind, where the table is posted').option('--wait <duration>', 'how long to wait for the answers; 15m when unsaid', duration)
    .description('ask several agents one question, and put their verdicts and reasons side by side')
    .action((words: readonly string[], options: { blind?: boolean; channel?: string; wait?: number }, command: Command) => run(command, async () => (await import('./ask.ts')).askCommand(words, options)));

  program.command('answer').argument('<task>', 'a task whose agent asks').argument('<text>', 'the answer, or - for standard input')
    .description('answer an agent that ended with a question: it goes on with its work, in its session where its CLI can')
    .action((id: string, text: string, _options: unknown, command: Command) => run(command, async () => (await import('./answer.ts')).answerCommand(id, text)));

  const request = program.command('request').argument('[text]', 'what is to be done, or - for standard input')
    .option('--to <agent>', 'this agent; the coordinator when unsaid').option('--wait [duration]', 'tell what happens until it is done, 1h at most when unsaid', duration)
    .description('ask the coordinator for work: it cuts it into tasks, watches them, and reports to you')
    .action((text: string | undefined, options: { to?: string; wait?: number | true }, command: Command) => run(command, async () => (await import('./request.ts')).requestCommand(text, { ...options, json: asksJson(command) })));

  request.command('list').description('what was asked for, and how it stands')
    .action((_options: unknown, command: Command) => run(command, async () => (await import('./request.ts')).requestsCommand()));

  const channel = program.command('channel').description('what was said where, and who answers');

  channel.command('list').description('every channel and inbox: when something was said last, and who is called or answers')
    .action((_options: unknown, command: Command) => run(command, async () => (await import('./channel.ts')).channelsCommand()));

  channel.command('read').argument('<name>', 'a channel, or @agent for its inbox').option('-n, --limit <count>', 'how many messages', whole, 20).option('--since <time>', 'only what was said after it')
    .description('what was said, oldest first, and why a mention woke nobody')
    .action((name: string, options: { limit: number; since?: string }, command: Command) => run(command, async () => (await import('./channel.ts')).readCommand(name, options)));

  channel.command('tail').argument('<name>', 'a channel, or @agent for its inbox').option('-n, --limit <count>', 'how many messages at first', whole, 10)
    .description('follow a channel until Ctrl-C')
    .action((name: string, options: { limit: number }, command: Command) => run(command, async () => (await import('./channel.ts')).tailCommand(name, options.limit, asksJson(command))));

  spawn.command('run').argument('<agent>', 'an agent of cambium.yaml').option('--task <id>', 'give it this task, now').option('--prompt <text>', 'say this to it, or - for standard input').option('--channel <name>', 'there instead of in its inbox; alone: have it read what was said')
    .option('--detach', 'print its id and go on in the background')
    .description('start an agent by hand, and wait for what comes of it')
    .action((agent: string, options: { task?: string; prompt?: string; channel?: string; detach?: boolean }, command: Command) => run(command, async () => (await import('./spawnRun.ts')).runCommand(agent, { ...options, json: asksJson(command) })));

  spawn.command('talk').argument('<id>', 'an ended spawn of this machine').argument('<text>', 'the question, or - for standard input').option('--detach', 'do not wait for the answer')
    .description('ask the session of a spawn that has ended')
    .action((id: string, text: string, options: { detach?: boolean }, command: Command) => run(command, async () => (await import('./spawnRun.ts')).talkCommand(id, text, { ...options, json: asksJson(command) })));

  spawn.command('resume').argument('<id>', 'an ended spawn of this machine').argument('[text]', 'what to say to it, where it had no task').option('--detach', 'do not wait for what comes of it')
    .description('go on in the session of a spawn that has ended: with its task and the work it left, or its conversation')
    .action((id: string, text: string | undefined, options: { detach?: boolean }, command: Command) => run(command, async () => (await import('./spawnRun.ts')).resumeCommand(id, text, { ...options, json: asksJson(command) })));

  spawn.command('serve', { hidden: true }).argument('<agent>').argument('<order>')
    .action((agent: string, order: string, _options: unknown, command: Command) => run(command, async () => (await import('./spawnRun.ts')).serveCommand(agent, order)));
}
