import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// Unit tests wait for git and other processes much of the time: one worker more than there are cores took 41 s on
// two of them, two workers 48, vitest's default of one 69.
const workers = availableParallelism() + 1;
const setupFiles = [
  ...(process.env['CAMBIUM_COVERAGE_DUMPS'] === undefined ? [] : ['tests/support/childCoverage.ts']),
  ...(process.env['CAMBIUM_PROPERTY_SEED'] === undefined ? [] : ['tests/support/propertySeed.ts']),
];

// Of the slow ones, those whose daemons and commands nobody hurries: they run side by side, with `workspace`.
const UNHURRIED = ['sourceTests', 'templates', 'pages', 'cliErrors', 'projectWork', 'judgement', 'request'].map((name) => `tests/slow/${name}.test.ts`);

// Files of `unit` share the modules that their worker has loaded: loading them anew for each file took 30 of 80 s. A test that
// mocks a module stands elsewhere.
// `unit` is what `npm test` and `npm run check` run; `workspace` is whole deeds on real clones, seconds each; `slow` needs
// daemons, races or servers, one file after the other; `clients` installs the real agent CLIs and drives them against a scripted model.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', isolate: false, unstubEnvs: true, maxWorkers: workers, globalSetup: ['tests/support/build.ts'], setupFiles, include: ['tests/**/*.test.ts'], exclude: ['tests/slow/**', 'tests/workspace/**', 'tests/clients/**'], testTimeout: 20_000 } },
      { test: { name: 'workspace', maxWorkers: workers, globalSetup: ['tests/support/build.ts'], setupFiles, include: ['tests/workspace/**/*.test.ts', ...UNHURRIED], testTimeout: 300_000, hookTimeout: 60_000 } },
      { test: { name: 'slow', globalSetup: ['tests/support/build.ts'], setupFiles, include: ['tests/slow/**/*.test.ts'], exclude: UNHURRIED, testTimeout: 300_000, hookTimeout: 60_000, fileParallelism: false } },
      // Once more for a test that fails: what a CLI of somebody else's does within a second is not ours to say.
      { test: { name: 'clients', retry: 1, globalSetup: ['tests/support/build.ts'], setupFiles, include: ['tests/clients/**/*.test.ts'], testTimeout: 180_000, hookTimeout: 400_000, fileParallelism: false } },
    ],
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text-summary', 'json-summary'], reportOnFailure: true },
  },
});
