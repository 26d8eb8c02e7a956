/** One file for `cambium check`: the door's verdict, then every place in it that is wrong or looks unmeant. Pure. */
import { CambiumError } from '../errors.ts';
import type { FleetConfig } from '../model/config.ts';
import type { Finding, FindingCode } from '../model/finding.ts';
import type { FileMode } from '../model/git.ts';
import { type TaskId, isAgentId, proposeId } from '../model/ids.ts';
import { taskStem } from '../model/layout.ts';
import type { Quarantined, Task, TaskResult } from '../model/task.ts';
import { parseProvidersRecord } from './providersRecord.ts';
import { type RosterAgent, parseRoster, parseSpawnRecord } from './agentRecords.ts';
import { parseClaimRecord } from './claimRecord.ts';
import { parseFleetConfig } from './fleetConfig.ts';
import { type FleetFileKind, fleetFileKind } from './fleetFiles.ts';
import { type FrontMatter, readFrontMatter, yamlFaultColumn } from './frontMatter.ts';
import { messageScalarKind, parseMessage } from './messageFile.ts';
import { parseResult } from './resultFile.ts';
import { isOwnKey, unknownKeyHint } from './rules.ts';
import { TASK_FIELDS, tidyTreePath } from './taskFields.ts';
import { fieldFaults, parseTask, scalarKind } from './taskFile.ts';
import { decodeText, isQuarantined, lineAt, tooLarge } from './text.ts';
import { type Path, type Place, type ScalarKindOf, readYaml } from './yaml.ts';

export interface WorkFile {
  readonly mode: FileMode;
  readonly size: number;
  /** Null for what is no regular file, and for one that is too large to be read. */
  readonly bytes: Uint8Array | null;
}

/** What the files read so far say. */
export interface Seen {
  readonly findings: Finding[];
  readonly tasks: Map<TaskId, Task>;
  readonly results: Map<TaskId, TaskResult>;
  config: FleetConfig | null;
  roster: readonly RosterAgent[];
  /** By agent: the path of agents/<id>.md. */
  readonly selfModels: Map<string, string>;
  readonly places: Map<string, (at: Path, item?: string) => Place>;
}

type Spot = { readonly line: number; readonly column: number | null };
type Say = (spot: Spot, code: FindingCode, message: string, mend: string) => void;
type Readers = Readonly<Record<Exclude<FleetFileKind, 'none'>, (seen: Seen, path: string, bytes: Uint8Array, say: Say) => void>>;

/** The file stands where the fleet reads it, and is a regular one. */
export function readInto(seen: Seen, path: string, { bytes, size }: WorkFile): void {
  const say: Say = ({ line, column }, code, message, mend) => void seen.findings.push({ path, line, column, level: code === 'unknown-key' || code === 'bad-name' ? 'warning' : 'error', code, message, mend });
  const large = tooLarge(path, size);
  if (bytes === null) say({ line: 1, column: null }, 'bad-text', large.reason, large.mend);
  else READERS[fleetFileKind(path) as keyof Readers](seen, path, bytes, say);
}

const READERS: Readers = {
  config: readConfig,
  instruction: readInstruction,
  result(seen, path, bytes, say) {
    const parsed = parseResult({ path, bytes });
    if (isQuarantined(parsed)) sayDoor(parsed, bytes, () => 'text', say);
    else seen.results.set(parsed.task, parsed);
  },
  message(_seen, path, bytes, say) {
    const parsed = parseMessage({ path, bytes });
    if (isQuarantined(parsed)) sayDoor(parsed, bytes, messageScalarKind, say);
  },
  agent: readSelfModel,
  claim(_seen, path, bytes, say) {
    const record = readJson(bytes, parseClaimRecord, WRITTEN_ANEW, say);
    if (record === null || record.task === taskStem(path)) return;
    say(jsonSpot(bytes, ['task']), 'wrong-place', `It speaks of the task ${record.task}.`, WRITTEN_ANEW);
  },
  roster(seen, _path, bytes, say) {
    seen.roster = readJson(bytes, parseRoster, WRITTEN_ANEW, say) ?? [];
  },
  providers(_seen, path, bytes, say) {
    const record = readJson(bytes, parseProvidersRecord, WRITTEN_ANEW, say);
    if (record !== null && `agents/providers/${record.node}.json` !== path) say(jsonSpot(bytes, ['node']), 'wrong-place', `It speaks of the node ${record.node}.`, WRITTEN_ANEW);
  },
  spawn(_seen, path, bytes, say) {
    readJson(bytes, parseSpawnRecord, `Restore it: \`git checkout -- ${path}\`.`, say);
  },
};

const WRITTEN_ANEW = 'Delete the file: the fleet writes this projection anew.';

function readInstruction(seen: Seen, path: string, bytes: Uint8Array, say: Say): void {
  const parsed = parseTask({ path, blob: '', bytes });
  if (!isQuarantined(parsed)) seen.tasks.set(parsed.id, parsed);
  const front = frontOf(bytes, scalarKind);
  if (front === null) return sayDoor(parsed as Quarantined, bytes, scalarKind, say);
  const known = ['schema', ...Object.keys(TASK_FIELDS)];
  for (const key of Object.keys(front.data).filter((key) => !known.includes(key) && !isOwnKey(key))) {
    say(front.placeOf([key]), 'unknown-key', `The key \`${key}\` is not known to this version; it is kept and means nothing.`, unknownKeyHint(key, known));
  }
  const faults = fieldFaults(front.data);
  for (const { at, reason, mend } of faults) say(front.placeOf(at), codeOf(reason), reason, mend);
  if (faults.length === 0 && isQuarantined(parsed)) sayDoor(parsed, bytes, scalarKind, say);
  seen.places.set(path, ([first, ...rest], item) => {
    if (first === undefined) return { line: 1, column: 1 };
    const value = front.data[String(first)];
    const index = item !== undefined && Array.isArray(value) ? value.findIndex((each) => tidyTreePath(String(each)) === item) : -1;
    return front.placeOf(index === -1 ? [first, ...rest] : [first, index]);
  });
}

function readConfig(seen: Seen, path: string, bytes: Uint8Array, say: Say): void {
  const parsed = parseFleetConfig(bytes);
  const text = decodeText(path, bytes);
  const yaml = isQuarantined(text) ? null : readYaml(text, () => 'text');
  const isReadable = yaml !== null && 'placeOf' in yaml;
  if ('problems' in parsed) for (const problem of parsed.problems) say(problem, isReadable ? codeOf(problem.message) : 'bad-text', problem.message, problem.hint);
  else {
    seen.config = parsed.config;
    for (const warning of parsed.warnings) say(warning, 'unknown-key', warning.message, warning.hint);
  }
  if (isReadable) seen.places.set(path, (at) => yaml.placeOf(at));
}

/** What an agent says of itself is free text; its name must be an agent's, and its front matter must be one. */
function readSelfModel(seen: Seen, path: string, bytes: Uint8Array, say: Say): void {
  const stem = (path.split('/').at(-1) ?? '').replace(/\.md$/u, '');
  const proposed = isAgentId(proposeId(stem)) ? proposeId(stem) : `agent-${proposeId(stem)}`;
  if (isAgentId(stem)) seen.selfModels.set(stem, path);
  else say({ line: 1, column: null }, 'bad-name', `The name ${JSON.stringify(stem.slice(0, 80))} is not the id of an agent, so nobody's file this is.`, `Rename the file to ${proposed}.md, or move it to another folder.`);
  const text = decodeText(path, bytes);
  const front = isQuarantined(text) ? text : readFrontMatter(path, text, () => 'any');
  if (isQuarantined(front)) sayDoor(front, bytes, () => 'any', say);
}

function frontOf(bytes: Uint8Array, kindOf: ScalarKindOf): FrontMatter | null {
  const text = decodeText('', bytes);
  const front = isQuarantined(text) ? text : readFrontMatter('', text, kindOf);
  return isQuarantined(front) ? null : front;
}

/** What the door says, at the most exact place that it can be brought to. */
function sayDoor({ line, reason, mend }: Quarantined, bytes: Uint8Array, kindOf: ScalarKindOf, say: Say): void {
  const named = /^`([^`]+)` must /u.exec(reason)?.[1];
  const front = named === undefined ? null : frontOf(bytes, kindOf);
  if (front !== null && named !== undefined) return say(front.placeOf(named.split('.').map(asIndex)), 'bad-value', reason, mend);
  const text = decodeText('', bytes);
  say({ line, column: isQuarantined(text) ? null : yamlFaultColumn(text, kindOf) }, codeOf(reason, 'bad-text'), reason, mend);
}

function codeOf(reason: string, other: FindingCode = 'bad-value'): FindingCode {
  return reason.startsWith('schema-too-new') ? 'schema-too-new' : other;
}

const asIndex = (part: string): string | number => (/^\d+$/u.test(part) ? Number(part) : part);

/** Null, and said, where it cannot be read. */
function readJson<Value>(bytes: Uint8Array, parse: (bytes: Uint8Array) => Value, mend: string, say: Say): Value | null {
  try {
    return parse(bytes);
  } catch (error) {
    if (!(error instanceof CambiumError)) throw error;
    const { code, message, hint, data } = error;
    const isNew = code === 'schema-too-new';
    const spot = typeof data['line'] === 'number' ? { line: data['line'], column: null } : syntaxSpot(bytes, message) ?? jsonSpot(bytes, isNew ? ['schema'] : ((data['at'] ?? []) as Path));
    say(spot, isNew ? 'schema-too-new' : 'bad-record', message, isNew ? hint ?? '' : mend);
    return null;
  }
}

/** JSON is YAML, whose reader knows where things stand. */
function jsonSpot(bytes: Uint8Array, at: Path): Spot {
  const text = decodeText('', bytes);
  const yaml = isQuarantined(text) ? null : readYaml(text, () => 'any');
  return yaml !== null && 'placeOf' in yaml && at.length > 0 ? yaml.placeOf(at) : { line: 1, column: null };
}

function syntaxSpot(bytes: Uint8Array, message: string): Spot | null {
  const position = /It is no JSON: .* at position (\d+)/u.exec(message)?.[1];
  const text = decodeText('', bytes);
  if (position === undefined || isQuarantined(text)) return null;
  const offset = Number(position);
  return { line: lineAt(text, offset), column: offset - text.lastIndexOf('\n', offset - 1) };
}
