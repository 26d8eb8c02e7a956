/**
 * Any agent CLI by an argument template of cambium.yaml:
 * `providers: { mycli: { command: [mycli, run, "{prompt_file}"] } }`.
 *
 * The prompt also goes to standard input. Success is exit 0; the CLI may leave a report in {result_file}.
 */
import { CambiumError } from '../../errors.ts';
import type { Provider, SpawnEnd, SpawnReport, SpawnRequest, SpawnSpec } from '../../ports/provider.ts';
import type { ProviderConfig } from '../../model/config.ts';
import { findProgram } from '../system/findProgram.ts';
import { redact, secretValues } from '../system/redact.ts';
import { judgeCriteria, parseResultFile } from '../../observe/report.ts';
import type { AgentResult } from '../../observe/report.ts';
import { environmentOf, modelNamed } from './clientSettings.ts';
import { plainReader } from './plainReader.ts';
import { UNTOLD, howItEnded, stopOf, tailMarkdown } from './stopped.ts';

const PROMPT_FILE = 'prompt.md';
const RESULT_FILE = 'result.md';

/** The argument vector may hold {prompt_file} {result_file} {worktree} {task} {agent} {epoch} {model}. */
export type CommandConfig = Pick<ProviderConfig, 'command'> & Partial<Pick<ProviderConfig, 'env' | 'models'>>;

/** Throws `bad-config` for an empty command. */
export function createCommand(name: string, { command, env: said = {}, models = {} }: CommandConfig): Provider {
  const [program] = command;
  if (program === undefined || program === '') {
    throw new CambiumError('bad-config', `The provider ${name} has an empty command.`, { hint: `Set providers.${name}.command in cambium.yaml, e.g. [mycli, run, "{prompt_file}"].` });
  }
  const env = environmentOf({ env: said });
  return {
    name,
    conversational: true,
    probe: async () => probe(name, program),
    resumes: 'never',
    model: (asked) => modelNamed({ models }, asked),
    prepare: (request) => prepare(request, command, env),
    reader: plainReader,
    interpret: (request, end, readFile) => interpret(request, end, readFile, secretValues(env)),
  };
}

/** Looks for the program and does not run it: what an unknown CLI does with `--version` is unknown too. */
async function probe(name: string, program: string): Promise<Awaited<ReturnType<Provider['probe']>>> {
  // A path is the worktree's: a worktree that does not exist yet.
  if (program.includes('/') || (await findProgram(program))) return { version: 'unknown' };
  return { unavailable: `${program} is not on PATH.`, hint: `Install ${program}, or correct providers.${name}.command in cambium.yaml.` };
}

function prepare(request: SpawnRequest, command: readonly string[], env: Readonly<Record<string, string>>): SpawnSpec {
  const { resultFile, prompt } = request;
  const promptFile = `${request.scratch}/${PROMPT_FILE}`;
  const values: Readonly<Record<string, string>> = {
    prompt_file: promptFile, result_file: resultFile, worktree: request.worktree,
    task: request.task?.id ?? '', agent: request.agent, epoch: String(request.epoch), model: request.model ?? '',
  };
  return {
    // One pass, so that a value is never searched for placeholders; braces of another meaning stay.
    argv: command.map((part) => part.replace(/\{([a-z_]+)\}/g, (whole, key: string) => values[key] ?? whole)),
    cwd: request.directory,
    env: { ...env, ...request.variables, CAMBIUM_PROMPT_FILE: promptFile, CAMBIUM_RESULT_FILE: resultFile },
    stdin: prompt,
    files: { [PROMPT_FILE]: prompt },
  };
}

async function interpret(
  request: SpawnRequest, end: SpawnEnd, readFile: (name: string) => Promise<string | null>, secrets: readonly string[],
): Promise<SpawnReport> {
  const text = await readFile(RESULT_FILE);
  const result = text === null || text.trim() === '' ? null : parseResultFile(redact(text, secrets));
  const stop = stopOf(end);
  const exited = stop === null && end.exit === 0;
  const ok = exited && result?.failed !== true && (result?.question ?? null) === null;
  const failure = stop === null ? (result?.failure ?? (exited ? 'declared' : 'crashed')) : stop.failure;
  return {
    ok,
    failure: ok ? null : failure,
    report: reportOf(result, end, exited ? undefined : (stop?.text ?? `The command ended with ${howItEnded(end)}.`)),
    criteria: judgeCriteria(request.task, result?.criteria ?? []),
    ...UNTOLD,
    retryable: result?.retryable ?? true,
    question: ok ? null : (result?.question ?? null),
  };
}

/** The agent's own words where it left some; what it printed where it did not, or did not end well. */
function reportOf(result: AgentResult | null, end: SpawnEnd, problem: string | undefined): string {
  const own = result === null || result.body === '' ? undefined : result.body;
  if (own !== undefined && problem === undefined) return own;
  return ['# Report', problem, own, tailMarkdown(end)].filter((part) => part !== undefined).join('\n\n');
}
