/** What is mutated, and the tests that must notice. */
export interface Group {
  readonly mutate: readonly string[];
  readonly tests: readonly string[];
}

export const GROUPS: Readonly<Record<string, Group>> = {
  envelope: { mutate: ['src/contract/envelope.ts'], tests: ['test/contract/**/*.test.ts'] },
  ingest: { mutate: ['src/agent/ingest.ts'], tests: ['test/agent/ingest.test.ts'] },
  forward: {
    mutate: ['src/agent/forward.ts', 'src/agent/publisher/*.ts'],
    tests: ['test/agent/forward.test.ts', 'test/agent/publisher/**/*.test.ts'],
  },
  log: { mutate: ['src/agent/log/*.ts'], tests: ['test/agent/log/**/*.test.ts'] },
};

/** Killed mutants of a hundred: below it the run fails. */
export const LOWEST_SCORE = 85;
