/** Read by Stryker itself: one group at a time, named by the environment. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GROUPS } from './groups.ts';

const group = process.env.COLLARD_MUTATION_GROUP ?? '';
const folder = import.meta.dirname;

export default {
  mutate: GROUPS[group].mutate,
  testRunner: 'vitest',
  vitest: { configFile: 'test/mutation/vitest.config.ts', related: false },
  coverageAnalysis: 'perTest',
  concurrency: Number(process.env.COLLARD_MUTATION_LANES ?? 2),
  // TypeScript 7 has no API that Stryker could read a configuration with.
  tsconfigFile: 'none.json',
  disableTypeChecks: false,
  // Beyond one and a half times what the tests take without a mutant, which is a second or two: an endless loop is waited for no
  // longer. A machine that is busy with other work of the same priority may need more, or slowness counts as a mutant noticed.
  timeoutMS: 20_000,
  dryRunTimeoutMinutes: 20,
  reporters: ['json', 'clear-text', 'progress-append-only'],
  clearTextReporter: { logTests: false, allowEmojis: false, reportScoreTable: false },
  jsonReporter: { fileName: join(folder, `node_modules/.mutation/${group}.json`) },
  // Also written where it is interrupted: the next run goes on from there, and tries again what no test had noticed.
  incremental: process.env.COLLARD_MUTATION_CHANGED === '1',
  incrementalFile: join(folder, `node_modules/.mutation/${group}.known.json`),
  tempDirName: join(tmpdir(), `collard-mutation-${group}`),
  ignorePatterns: ['dist', '.git'],
};
