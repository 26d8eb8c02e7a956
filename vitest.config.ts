import { defineConfig } from 'vitest/config';

// `unit` is what `npm test` and `npm run check` run; `slow` needs real processes, races or servers.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', globalSetup: ['tests/support/build.ts'], include: ['tests/**/*.test.ts'], exclude: ['tests/slow/**'], testTimeout: 20_000 } },
      { test: { name: 'slow', globalSetup: ['tests/support/build.ts'], include: ['tests/slow/**/*.test.ts'], testTimeout: 300_000, hookTimeout: 60_000, fileParallelism: false } },
    ],
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text-summary', 'json-summary'] },
  },
});
