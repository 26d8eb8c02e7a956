import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DEFAULT_CONFIG, parseFleetConfig } from '../../src/observe/fleetConfig.ts';
import { EDITOR_SCHEMAS, instructionSchema, jsonSchemas, schemaFiles } from '../../src/observe/schemas.ts';
import { TASK_FIELDS } from '../../src/observe/taskFields.ts';
import { parseTask } from '../../src/observe/taskFile.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

interface JsonSchema {
  readonly $schema?: string;
  readonly $id?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string | readonly string[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

const schemas = jsonSchemas() as Readonly<Record<string, JsonSchema>>;

/** Every key that a schema names, at any depth. */
function keysBelow(schema: JsonSchema, path: string): readonly (readonly [path: string, key: JsonSchema])[] {
  const inner = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.items === undefined ? [] : [schema.items]), ...(typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : [])];
  const named = Object.entries(schema.properties ?? {});
  return [...inner.flatMap((below) => keysBelow(below, path)), ...named.flatMap(([name, key]) => [[`${path}.${name}`, key] as const, ...keysBelow(key, `${path}.${name}`)])];
}

describe('the files of schemas/', () => {
  test('are what `npm run schemas` writes, and nothing else is there', () => {
    expect(readdirSync(`${ROOT}schemas`).toSorted()).toEqual([...schemaFiles().keys()].toSorted());
    for (const [name, text] of schemaFiles()) expect(readFileSync(`${ROOT}schemas/${name}`, 'utf8') === text, `schemas/${name} differs from src/observe/schemas.ts: run \`npm run schemas\``).toBe(true);
  });

  test('stand in templates/schemas/, too, where an editor of a workspace looks for them', () => {
    expect(readdirSync(`${ROOT}templates/schemas`).toSorted()).toEqual([...EDITOR_SCHEMAS].toSorted());
    for (const name of EDITOR_SCHEMAS) expect(readFileSync(`${ROOT}templates/schemas/${name}`, 'utf8') === schemaFiles().get(name), `templates/schemas/${name}: run \`npm run schemas\``).toBe(true);
  });

  test('are shipped', () => {
    const { files } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { readonly files: readonly string[] };
    expect(files).toEqual(expect.arrayContaining(['schemas', 'templates']));
  });

  test.each(['cambium.yaml', 'templates/task.md'])('are named by %s at a place that exists', (path) => {
    const named = /^# yaml-language-server: \$schema=(\S+)$/m.exec(readFileSync(`${ROOT}${path}`, 'utf8'))?.[1] ?? 'none';
    expect(existsSync(new URL(named, new URL(`../../${path}`, import.meta.url)))).toBe(true);
  });
});

describe.each(Object.entries(schemas))('%s', (name, schema) => {
  test('says what it is', () => {
    expect(schema).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema', $id: expect.stringMatching(/^urn:cambium:[a-z]+:1$/), title: expect.stringMatching(/./), description: expect.stringMatching(/\.$/) });
  });

  test('describes every key in a sentence, with what holds when it is unsaid', () => {
    const keys = keysBelow(schema, name.replace('.schema.json', ''));
    expect(keys.length).toBeGreaterThan(1);
    expect(keys.filter(([, { description = '' }]) => !/^[A-Z].*\.$/s.test(description)).map(([path]) => path)).toEqual([]);
    const silent = keys.filter(([, key]) => key.default !== undefined && !key.description?.includes(typeof key.default === 'string' ? key.default : JSON.stringify(key.default)));
    expect(silent.map(([path]) => path)).toEqual([]);
  });
});

test('every key that may be left out of a task or of cambium.yaml says what holds then', () => {
  for (const name of EDITOR_SCHEMAS) {
    const groups: JsonSchema[] = [schemas[name] as JsonSchema];
    const quiet = keysBelow(groups[0] as JsonSchema, name).filter(([, { description = '', properties, anyOf }]) => properties === undefined && anyOf?.some((below) => below.properties !== undefined) !== true && !/when unsaid|nothing depends on it/.test(description));
    // What must be said, and what stands in a group that may be left out as a whole.
    expect(quiet.map(([path]) => path.replace(`${name}.`, '')), name).toEqual(name === 'cambium.schema.json' ? expect.arrayContaining(['schema', 'projects.url', 'providers.command', 'schedules.id', 'schedules.cron']) : []);
    expect(quiet.length, name).toBe(name === 'cambium.schema.json' ? 5 : 0);
  }
});

test('the defaults that editors show are those in force', () => {
  const file: Record<string, unknown> = { schema: 'cambium.fleet/1', agents: { 'worker-1': {} } };
  for (const [path, key] of keysBelow(schemas['cambium.schema.json'] as JsonSchema, '')) {
    const [, group = '', name] = path.split('.');
    if (key.default === undefined || ['roles', 'projects', 'providers', 'schedules'].includes(group)) continue;
    if (group === 'agents') ((file['agents'] as Record<string, Record<string, unknown>>)['worker-1'] as Record<string, unknown>)[name as string] = key.default;
    else if (name === undefined) file[group] = key.default;
    else file[group] = { ...(file[group] as object | undefined), [name]: key.default };
  }
  expect(Object.keys(file['timings'] as object).length).toBe(9);
  const parsed = parseFleetConfig(encode(JSON.stringify(file)));
  const plain = parseFleetConfig(encode('schema: cambium.fleet/1\nagents: { worker-1: {} }\n'));
  expect(parsed).toEqual(plain);
  expect(parsed).toMatchObject({ config: { ...DEFAULT_CONFIG, agents: { 'worker-1': { role: 'worker' } } }, warnings: [] });
});

test('the schema of instructions has the keys that the parser reads', () => {
  expect(Object.keys(instructionSchema.shape).toSorted()).toEqual(['schema', ...Object.keys(TASK_FIELDS)].toSorted());
});

test('plain scalars that the parser takes for text are no mistakes in an editor', () => {
  const { model, verify, labels } = (schemas['instruction.schema.json'] as JsonSchema).properties as Record<string, JsonSchema>;
  for (const key of [model, verify, labels]) expect(JSON.stringify(key)).toContain('["string","number","boolean"]');
  expect(JSON.stringify(schemas['claim.schema.json'])).not.toContain('["string","number","boolean"]');
  expect(JSON.stringify(schemas['fleet.schema.json'])).not.toContain('["string","number","boolean"]');
});

describe('the line that names a schema', () => {
  const LINE = '# yaml-language-server: $schema=../templates/schemas/instruction.schema.json';

  test('is accepted as the first line of front matter, and every later line keeps its number', () => {
    expect(parseTask({ path: 'tasks/x.md', blob: '', bytes: encode(`---\n${LINE}\ntitle: a\npriority: 1\n---\nDo it.\n`) })).toMatchObject({ title: 'a', priority: 1 });
    expect(parseTask({ path: 'tasks/x.md', blob: '', bytes: encode(`---\n${LINE}\ntitle: a\npriority: 9\n---\n`) })).toMatchObject({ line: 4 });
    expect(parseTask({ path: 'tasks/x.md', blob: '', bytes: encode(`---\n${LINE}\n---\nDo it.\n`) })).toMatchObject({ title: 'x' });
  });

  test('changes nothing in cambium.yaml', () => {
    const text = 'schema: cambium.fleet/1\nbranch: trunk\n';
    expect(parseFleetConfig(encode(`# yaml-language-server: $schema=templates/schemas/cambium.schema.json\n${text}`))).toEqual(parseFleetConfig(encode(text)));
  });
});

test('every format of docs/formats.md has a schema, and every schema is of a format shown there', () => {
  const formats = readFileSync(`${ROOT}docs/formats.md`, 'utf8');
  const shown = [...formats.matchAll(/"?schema"?:\s*"?(cambium\.[a-z]+\/1)/g)].map(([, found]) => found as string);
  const known = Object.values(schemas).map(({ $id = '' }) => $id.replace('urn:cambium:', 'cambium.').replace(/:1$/, '/1'));
  expect(shown.filter((format) => !known.includes(format))).toEqual([]);
  expect(known.filter((format) => !shown.includes(format) && format !== 'cambium.task/1')).toEqual([]);
});
