// Builds dist/ from src/. Runs on `npm ci` (prepare), so it uses only what the lockfile brings.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = `${root}node_modules/typescript/bin/tsc`;
if (!existsSync(tsc)) {
  // `npm ci --omit=dev` of a published package brings dist/ ready-made and no compiler.
  if (existsSync(`${root}dist/cli.js`)) process.exit(0);
  console.error('cambium: the compiler is not installed. Run `npm ci` (with dev dependencies) first.');
  process.exit(1);
}
rmSync(`${root}dist`, { recursive: true, force: true });
const built = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
if (built.status !== 0) process.exit(built.status ?? 1);
chmodSync(`${root}dist/cli.js`, 0o755);
