// Writes the JSON Schemas of every file format from dist/: `npm run schemas`, after a change of src/observe/schemas.ts.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { EDITOR_SCHEMAS, schemaFiles } from '../dist/observe/schemas.js';

const root = fileURLToPath(new URL('..', import.meta.url));
for (const folder of ['schemas', 'templates/schemas']) mkdirSync(`${root}${folder}`, { recursive: true });
for (const [name, text] of schemaFiles()) {
  writeFileSync(`${root}schemas/${name}`, text);
  if (EDITOR_SCHEMAS.includes(name)) writeFileSync(`${root}templates/schemas/${name}`, text);
}
