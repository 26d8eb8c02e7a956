/** The words that the formats of schemas.ts are made of, each as strict as its hand-written twin in rules.ts. */
import { z } from 'zod';
import { isAgentId, isId } from '../model/ids.ts';
import { MESSAGE_ID } from '../model/talk.ts';
import { isArgument, isLine, isOid } from './rules.ts';
import { isTreePath } from './taskFields.ts';

/** The same grammar as model/ids.ts, spelled for editors; the refinement adds what a pattern cannot say. */
const ID_PATTERN = /^(?!\d+$)[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/;
const MUST_BE_ID = 'must be an id: lower-case letters, digits, `-` and `_`, not digits only';

export const id = z.string().regex(ID_PATTERN, MUST_BE_ID).refine(isId, 'must not be a device name');
export const agentId = z.string().regex(ID_PATTERN, MUST_BE_ID).refine(isAgentId, 'is a reserved name');
export const oid = z.string().regex(/^[0-9a-f]{4,64}$/, 'must be a git object id').refine(isOid);
export const text = z.string();
export const opId = text.min(1);
export const amount = z.number().min(0);
export const whole = (min: number, max = Number.MAX_SAFE_INTEGER) => z.int().min(min).max(max);
export const known = (schema: string) => z.literal(schema);

/**
 * Schemas of plain YAML scalars that are text whatever they look like: `model: 4.10`, `verify: true`. The parser reads
 * their source; an editor would mark them as numbers, so its schema accepts those too (`jsonSchemas`).
 */
export const bareText = z.registry<{ readonly bare: true }>();

function bare<Schema extends z.ZodType>(schema: Schema): Schema {
  bareText.add(schema, { bare: true });
  return schema;
}

export const word = bare(z.string());
/** The id of a message or a spawn in front matter, where a name of digits only is text. */
export const bareMessageId = bare(z.string().regex(MESSAGE_ID, 'must be the id of a message or a spawn'));
export const line = bare(z.string().refine(isLine, 'must be one line of text').meta({ minLength: 1 }));
/** A word of a JSON record that may become an argument of some command. */
export const token = z.string().refine(isArgument, 'must be one line of text that does not begin with `-`').meta({ pattern: '^[^-]' });
export const argument = bare(token.clone());
export const treePath = bare(z.string().refine(isTreePath, 'must be a path inside the tree: relative, without `..` or `.git`').meta({ pattern: '^(?![-/])(?!(?:.*/)?\\.\\.(?:/|$)).+$' }));

export const orOne = <Item extends z.ZodType>(item: Item) => z.union([z.array(item), item]).nullish();
export const maybe = <Value extends z.ZodType>(value: Value) => value.nullish();

/** What an editor shows of a key: one sentence, with what holds when it is unsaid. */
export function key<Schema extends z.ZodType>(schema: Schema, sentence: string, unsaid?: unknown): Schema {
  if (unsaid === undefined) return schema.meta({ description: `${sentence}.` });
  return schema.meta({ description: `${sentence}; ${typeof unsaid === 'string' ? unsaid : JSON.stringify(unsaid)} when unsaid.`, default: unsaid });
}
