/** The front matter that `task add` and `task edit` take as options. */
import { CambiumError } from '../errors.ts';

export interface FieldOptions {
  readonly depends?: string | undefined;
  readonly assign?: string | undefined;
  readonly priority?: string | undefined;
  readonly role?: string | undefined;
  readonly requires?: string | undefined;
  readonly provider?: string | undefined;
  readonly model?: string | undefined;
  readonly project?: string | undefined;
  readonly review?: string | undefined;
  readonly verify?: string | undefined;
  readonly context?: string | undefined;
  readonly criteria?: readonly string[] | undefined;
  readonly labels?: string | undefined;
  readonly notBefore?: string | undefined;
}

/** By their names in the file. An empty value takes a key out (`--assign ""`). Throws `usage`. */
export function fieldsOf(options: FieldOptions): Record<string, unknown> {
  const list = (text: string | undefined): readonly string[] | null | undefined => (text === '' ? null : text?.split(',').map((part) => part.trim()).filter((part) => part !== ''));
  const one = (text: string | undefined): string | null | undefined => (text === '' ? null : text);
  const fields = {
    priority: priorityOf(options.priority), assigned_to: one(options.assign), role: one(options.role), requires: list(options.requires), depends_on: list(options.depends),
    context_files: list(options.context), provider: one(options.provider), model: one(options.model), project: one(options.project), review: one(options.review), verify: one(options.verify),
    acceptance_criteria: options.criteria === undefined || options.criteria.length === 0 ? undefined : options.criteria.filter((text) => text !== ''), labels: list(options.labels), not_before: one(options.notBefore),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function priorityOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const priority = Number(text);
  if (text.trim() !== '' && Number.isInteger(priority) && priority >= 0 && priority <= 4) return priority;
  throw new CambiumError('usage', `The priority ${text} is not a whole number from 0 (most urgent) to 4.`);
}
