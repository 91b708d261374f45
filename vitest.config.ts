import { defineConfig } from 'vitest/config';
import { assertRuntime } from './src/lib/runtime-guard.ts';

assertRuntime();

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
