import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// Unit tests wait for git and other processes much of the time: one worker more than there are cores took 41 s on
// two of them, two workers 48, vitest's default of one 69.
const workers = availableParallelism() + 1;
const setupFiles = process.env['CAMBIUM_COVERAGE_DUMPS'] === undefined ? [] : ['tests/support/childCoverage.ts'];

// `unit` is what `npm test` and `npm run check` run; `workspace` is whole deeds on real clones, seconds each; `slow` needs
// daemons, races or servers, one file after the other.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', maxWorkers: workers, globalSetup: ['tests/support/build.ts'], setupFiles, include: ['tests/**/*.test.ts'], exclude: ['tests/slow/**', 'tests/workspace/**'], testTimeout: 20_000 } },
      { test: { name: 'workspace', maxWorkers: workers, globalSetup: ['tests/support/build.ts'], setupFiles, include: ['tests/workspace/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 60_000 } },
      { test: { name: 'slow', globalSetup: ['tests/support/build.ts'], setupFiles, include: ['tests/slow/**/*.test.ts'], testTimeout: 300_000, hookTimeout: 60_000, fileParallelism: false } },
    ],
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text-summary', 'json-summary'], reportOnFailure: true },
  },
});
