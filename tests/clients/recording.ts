/**
 * Recordings of the real CLIs' output, as fixtures of the tests that read it: `CAMBIUM_RECORD=1 npm run test:clients`
 * writes them anew. What belongs to one machine or one run is replaced, in a way that keeps equal things equal.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Run, Stage } from './drive.ts';
import type { Client } from './install.ts';

const FOLDER = fileURLToPath(new URL('../fixtures/clients', import.meta.url));

/** `<case>.jsonl` (stdout), `<case>.stderr` where something was said, `<case>.json` (how it ended). */
export function record(client: Client, name: string, ran: Run, at: Stage): void {
  if (process.env['CAMBIUM_RECORD'] !== '1') return;
  const folder = join(FOLDER, client.name);
  const scrub = scrubber(at, client);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.jsonl`), scrub(ran.stdout));
  if (ran.stderr.trim() === '') rmSync(join(folder, `${name}.stderr`), { force: true });
  else writeFileSync(join(folder, `${name}.stderr`), scrub(ran.stderr));
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify({ client: client.name, version: client.version, exit: ran.exit, signal: ran.signal, timedOut: ran.timedOut, left: ran.left }, null, 2)}\n`);
}

function scrubber({ cwd, home }: Stage, client: Client): (text: string) => string {
  const ids = new Map<string, string>();
  const numbered = (kind: (n: number) => string) => (found: string): string => {
    if (!ids.has(found)) ids.set(found, kind(ids.size + 1));
    return ids.get(found) as string;
  };
  const dashed = (path: string): string => path.replaceAll(/[^A-Za-z0-9]/g, '-');
  const modules = client.program.replace(/\/bin\/[^/]+$/, '');
  return (text) => text
    .replaceAll(dashed(cwd), '-home-agent-project').replaceAll(cwd, '/home/agent/project').replaceAll(cwd.slice(1), 'home/agent/project').replaceAll(home, '/home/agent').replaceAll(modules, '/opt/client').replaceAll(hostname(), 'host')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, numbered((n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`))
    .replaceAll(/\b(toolu|msg|call|fc)_[0-9a-f]{24,32}\b/g, (found, kind: string) => numbered((n) => `${kind}_${String(n).padStart(24, '0')}`)(found))
    .replaceAll(/\b(ses|msg|prt)_[0-9a-f]{12}[0-9A-Za-z]{14}\b/g, (found, kind: string) => numbered((n) => `${kind}_${String(n).padStart(26, '0')}`)(found))
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:11434')
    .replaceAll(/\/projects\/-[^/"]+\//g, '/projects/-home-agent-project/')
    .replaceAll(/cc-socks\/\d+/g, 'cc-socks/1');
}
