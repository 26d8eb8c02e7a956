#!/usr/bin/env node
/**
 * `cambium hook <name>`, as agent CLIs call it: reads the CLI's JSON on standard input, prints one JSON object, ends with 0,
 * whatever happens. A CLI calls it at every step, so it loads neither the command line nor anything that one call does not need.
 */
import { variable } from './adapters/system/environment.ts';
import { findHookPlace } from './adapters/system/hookPlace.ts';
import { openHookState } from './adapters/system/hookState.ts';
import { readHookInput, writeHookOutput } from './adapters/system/hookStreams.ts';
import { NOTHING, hookInput, hookOutput, isHookCli, isHookName } from './model/hook.ts';
import type { HookAnswer, HookName } from './model/hook.ts';
import { isAgentId } from './model/ids.ts';
import type { HookCall } from './workspace/hook/call.ts';

const ANSWERS: Readonly<Record<HookName, () => Promise<{ answer(call: HookCall): Promise<HookAnswer> }>>> = {
  'session-start': () => import('./workspace/hook/sessionStart.ts'),
  'user-prompt': () => import('./workspace/hook/userPrompt.ts'),
  'pre-tool': () => import('./workspace/hook/preTool.ts'),
  'stop': () => import('./workspace/hook/stop.ts'),
  'session-end': () => import('./workspace/hook/sessionEnd.ts'),
};

/** An error on the way must not end an agent's session: it is said on standard error, and nothing is blocked. */
function end(output: object, error?: unknown): never {
  if (error !== undefined) process.stderr.write(`cambium hook: ${error instanceof Error ? error.message : String(error)}\n`);
  writeHookOutput(`${JSON.stringify(output)}\n`);
  process.exit(0);
}

const option = (args: readonly string[], name: string): string | undefined => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);

async function run(args: readonly string[]): Promise<object> {
  const [name] = args;
  const agent = option(args, '--agent') ?? variable('CAMBIUM_AGENT');
  const spawn = variable('CAMBIUM_SPAWN');
  // Silent for people; and of the hooks that a spawn brings along and those of the workspace's own settings, one kind speaks.
  if (!isHookName(name) || agent === undefined || !isAgentId(agent) || args.includes('--spawned') !== (spawn !== undefined)) return {};
  const cli = option(args, '--for');
  const input = hookInput(readHookInput(), isHookCli(cli) ? cli : undefined);
  const place = findHookPlace(process.cwd()) ?? (input.cwd === null ? null : findHookPlace(input.cwd));
  if (place === null) return {};
  const call: HookCall = {
    input, agent, cwd: process.cwd(), place, state: openHookState(place.stateDir, input.session),
    spawn: spawn === undefined ? null : { id: spawn, task: variable('CAMBIUM_TASK') ?? null, resultFile: variable('CAMBIUM_RESULT_FILE') ?? null },
  };
  const { answer } = await ANSWERS[name]();
  return hookOutput((await answer(call)) ?? NOTHING, name, input.cli);
}

process.on('uncaughtException', (error) => end({}, error));
process.on('unhandledRejection', (error) => end({}, error));
const given = process.argv.slice(2);
// As `cambium hook stop` by way of cli.ts, or as a program of its own.
await run(given[0] === 'hook' ? given.slice(1) : given).then((output) => end(output), (error: unknown) => end({}, error));
