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
    testTimeout: 20_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    coverage: {
      provider: 'v8',
      include: groups.flatMap(({ mutate }) => mutate),
      reporter: ['text'],
      reportsDirectory: join(import.meta.dirname, 'node_modules/.coverage'),
    },
  },
});
