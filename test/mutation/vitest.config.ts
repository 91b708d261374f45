/** The tests of one group, or of all: what `run.ts` and `npm run coverage` look at. */
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { GROUPS } from './groups.ts';

const group = process.env.COLLARD_MUTATION_GROUP;
const groups = group === undefined ? Object.values(GROUPS) : [GROUPS[group] ?? { mutate: [], tests: [] }];

export default defineConfig({
  test: {
    root: join(import.meta.dirname, '../..'),
    include: groups.flatMap(({ tests }) => tests),
    setupFiles: ['../setup.ts', ...(group === undefined ? [] : ['hurry.ts'])].map((file) =>
      join(import.meta.dirname, file),
    ),
    // A mutant that waits for ever is found so late; nobody waits for it longer than that.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: group === undefined ? 30_000 : 10_000 } },
    // One thread for all files of a mutant: to load them anew costs more than to run them.
    isolate: group === undefined,
    maxWorkers: 2,
    coverage: {
      provider: 'v8',
      include: groups.flatMap(({ mutate }) => mutate),
      reporter: ['text'],
      thresholds: { branches: 100, perFile: true },
      reportsDirectory: join(import.meta.dirname, 'node_modules/.coverage'),
    },
  },
});
