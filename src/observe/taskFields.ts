/** The keys a person may write in the front matter of an instruction file, and what each may hold. */
import { isAgentId, isId } from '../model/ids.ts';
import { reviewWord } from '../model/reviewer.ts';
import { isMessageId } from '../model/talk.ts';
import { type Rule, isArgument, isLine, isText, number, string, whole } from './rules.ts';
import type { ScalarKind } from './yaml.ts';

export interface TaskField {
  readonly scalars: ScalarKind;
  /** A list; a single value stands for a list of one. */
  readonly list: boolean;
  /** For the value, or for each item of a list. */
  readonly rule: Rule;
  /** A line that would be right, for the mend. */
  readonly example: string;
}

/** Longer waits than a timer holds (24.8 days) would fire at once. */
export const TIMEOUT_MINUTES_MAX = 20_160;

const one = (scalars: ScalarKind, rule: Rule, example: string): TaskField => ({ scalars, list: false, rule, example });
const many = (scalars: ScalarKind, rule: Rule, example: string): TaskField => ({ scalars, list: true, rule, example });

const id = string('must be an id: lower-case letters, digits, `-` and `_`, not digits only', isId);
const agent = string('must be the id of an agent', isAgentId);
const line = string('must be one line of text', isLine);
const path = string('must be a path inside the tree: relative, with `/`, without `..` or `.git`', isTreePath);
const positive = (max: number): Rule => number(`must be a number above 0, at most ${max}`, (value) => value > 0 && value <= max);
const amount = number('must be a number of at least 0', (value) => value >= 0);

export const TASK_FIELDS = {
  title: one('text', line, 'title: Add the login form'),
  priority: one('number', whole(0, 4), 'priority: 2'),
  assigned_to: one('name', agent, 'assigned_to: worker-1'),
  role: one('name', id, 'role: worker'),
  requires: many('text', line, 'requires: [node]'),
  depends_on: many('name', id, 'depends_on: [add-login-k3f9]'),
  context_files: many('text', path, 'context_files: [docs/api.md]'),
  working_directory: one('text', path, 'working_directory: packages/web'),
  project: one('name', id, 'project: api'),
  acceptance_criteria: many('text', string('must be text', isText), 'acceptance_criteria: ["Tests pass"]'),
  verify: one('text', verifyRule, 'verify: npm test'),
  review: one('name', reviewRule, 'review: human'),
  provider: one('name', id, 'provider: claude'),
  model: one('text', string('must be one line of text that does not begin with `-`', isArgument), 'model: daily'),
  max_attempts: one('number', whole(1, 100), 'max_attempts: 3'),
  timeout_minutes: one('number', positive(TIMEOUT_MINUTES_MAX), 'timeout_minutes: 10'),
  budget_usd: one('number', amount, 'budget_usd: 0.50'),
  max_turns: one('number', whole(1, 100_000), 'max_turns: 40'),
  not_before: one('text', string('must be a UTC time', (value) => utcTime(value) !== null), 'not_before: 2026-11-21T08:00:00Z'),
  parent: one('name', id, 'parent: release-2-k3f9'),
  request: one('text', string('must be the id of a message', isMessageId), 'request: 01JD0Z8M3N4P5Q6R7S8T9V0W1X'),
  spawned_by: one('text', string('must be the id of a spawn', isMessageId), 'spawned_by: 01JD0Z8M3N4P5Q6R7S8T9V0W1X'),
  labels: many('text', line, 'labels: [web]'),
  estimated_minutes: one('number', amount, 'estimated_minutes: 30'),
} as const satisfies Record<string, TaskField>;

export type TaskKey = keyof typeof TASK_FIELDS;

export function taskField(key: string): TaskField | undefined {
  return Object.hasOwn(TASK_FIELDS, key) ? TASK_FIELDS[key as TaskKey] : undefined;
}

function reviewRule(value: unknown): ReturnType<Rule> {
  return reviewWord(value) === null ? { at: [], must: 'must be `human`, an agent, `different_provider`, or `{ agent: … }`, `{ role: … }`, `{ different_provider: true }`' } : null;
}

/** A script, or an argument vector whose first word is the program. */
function verifyRule(value: unknown): ReturnType<Rule> {
  return isScript(value) ? null : { at: [], must: 'must be a script, or a list of at least one word' };
}

export function isScript(value: unknown): boolean {
  if (typeof value === 'string') return isText(value);
  return Array.isArray(value) && value.every((word) => typeof word === 'string' && !word.includes('\0')) && isArgument(String(value[0] ?? ''));
}

/**
 * A path that stays inside a tree on every platform: what names `.git` on some file system (case, trailing dots,
 * invisible letters, the short name `git~1`) is refused on all.
 */
export function isTreePath(value: string): boolean {
  if (!isLine(value) || value.length > 4096 || /^[-/]|\\|^[A-Za-z]:/u.test(value)) return false;
  return value.split('/').every((segment) => {
    const plain = segment.replace(/%2e/giu, '.').replace(/[\u200b-\u200f\u2060-\u206f\u00ad]/gu, '').replace(/[. ]+$|:.*$/gu, '').toLowerCase();
    return segment.replace(/%2e/giu, '.').trim() !== '..' && plain !== '.git' && !/^git~\d+$/u.test(plain);
  });
}

/** The same path without `.` and empty segments; empty for the top. */
export function tidyTreePath(value: string): string {
  return value.split('/').filter((segment) => segment !== '' && segment !== '.').join('/');
}

const TIME = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/u;

/**
 * UTC ISO text of a date or time, with milliseconds so that such texts compare as times do. Without a zone it is
 * UTC, so that every node reads the same moment. Null if it is none.
 */
export function utcTime(value: string): string | null {
  const match = TIME.exec(value.trim());
  if (match === null) return null;
  const [year, month, day, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map((part) => (part === undefined ? undefined : Number(part)));
  const at = new Date(Date.UTC(year as number, (month as number) - 1, day, hour, minute, second));
  // The 30th of February would roll over into March.
  if (at.getUTCDate() !== day || at.getUTCMonth() + 1 !== month || hour > 23 || minute > 59 || second > 59) return null;
  return new Date(at.getTime() - zoneMs(match[7])).toISOString();
}

function zoneMs(zone: string | undefined): number {
  if (zone === undefined || zone === 'Z') return 0;
  const [hours, minutes] = zone.slice(1).split(':').map(Number) as [number, number];
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}
