import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// Unit tests wait for git and other processes much of the time: one worker more than there are cores took 41 s on
// two of them, two workers 48, vitest's default of one 69.
const workers = availableParallelism() + 1;

// `unit` is what `npm test` and `npm run check` run; `slow` needs real processes, races or servers.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', maxWorkers: workers, globalSetup: ['tests/support/build.ts'], include: ['tests/**/*.test.ts'], exclude: ['tests/slow/**'], testTimeout: 20_000 } },
      { test: { name: 'slow', globalSetup: ['tests/support/build.ts'], include: ['tests/slow/**/*.test.ts'], testTimeout: 300_000, hookTimeout: 60_000, fileParallelism: false } },
    ],
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text-summary', 'json-summary'], reportOnFailure: true },
  },
});
