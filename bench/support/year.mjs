/** The simulated year of the tests (tests/support/year.ts), compiled here because node runs no TypeScript. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { run } from './processes.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Below node_modules, so that what the sources import is found. */
const CACHE = join(ROOT, 'node_modules/.cache/cambium');

const CONFIG = 'schema: cambium.fleet/1\nbranch: main\ntimings: { ttl: 30s, fetch: 300ms, rescan: 5s }\ndefaults: { provider: runbook }\nagents:\n  worker-1: { role: worker, node: "*" }\n';

/** Writes the hub. Returns its year: `{ ids, path(id) }`. */
export async function makeYear(hub, count, live) {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'year-'));
  try {
    const project = { extends: join(ROOT, 'tsconfig.json'), compilerOptions: { noEmit: false, rootDir: ROOT, outDir: join(folder, 'out'), typeRoots: [join(ROOT, 'node_modules/@types')] }, files: [join(ROOT, 'tests/support/year.ts')] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(project));
    // Type errors are the type check's business.
    await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder], { ok: [0, 1, 2] });
    cpSync(join(ROOT, 'package.json'), join(folder, 'out/package.json'));
    const { writeYear } = await import(pathToFileURL(join(folder, 'out/tests/support/year.js')).href);
    return await writeYear(hub, { count, live, config: CONFIG });
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
