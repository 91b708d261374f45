/** What is mutated, and the tests that must notice. */
export interface Group {
  readonly mutate: readonly string[];
  readonly tests: readonly string[];
}

const PLAN = [
  'batch',
  'batch-limit',
  'confirm',
  'epoch-gate',
  'follow',
  'loss-gate',
  'plan',
  'plan-state',
  'ranges',
  'status',
];
const LINK = ['acknowledge', 'answer', 'hear', 'publisher', 'session', 'session-state', 'signing-key'];

const STORE = ['append', 'conflicts', 'gaps', 'ingest', 'of-one', 'shard', 'walk', 'walk-on', 'write-works'];
const STORE_TESTS = [
  'append',
  'fence',
  'gaps',
  'ingest',
  'ingest-all',
  'of-one',
  'quarantine',
  'sqlite-lock-order',
  'wire',
];
/** From what a broker gives to the store, and what is answered. */
const KEEP = ['grouping', 'keep', 'subscriber/message', 'trust'];

export const GROUPS: Readonly<Record<string, Group>> = {
  envelope: {
    mutate: ['envelope', 'json', 'sorted-batch'].map((name) => `src/contract/${name}.ts`),
    tests: ['envelope', 'cloud-events', 'json', 'sorted-batch'].map((name) => `test/contract/${name}.test.ts`),
  },
  'ingest-agent': {
    mutate: ['src/agent/ingest.ts', 'src/agent/append-groups.ts'],
    tests: ['test/agent/ingest.test.ts', 'test/agent/append-groups.test.ts'],
  },
  // On SQLite; of servers, the order in which rows are locked.
  'ingest-store': {
    mutate: STORE.map((name) => `src/central/store/${name}.ts`),
    tests: [...STORE_TESTS.map((name) => `store/${name}`), 'rejected'].map(centralTest),
  },
  'ingest-keep': {
    mutate: KEEP.map((name) => `src/central/${name}.ts`),
    tests: KEEP.map(centralTest),
  },
  /** What is sent next, decided without any port. */
  plan: {
    mutate: PLAN.map((name) => `src/agent/publisher/${name}.ts`),
    tests: [...PLAN, 'batch-limit-model', 'plan-model'].map((name) => `test/agent/publisher/${name}.test.ts`),
  },
  forward: {
    mutate: ['src/agent/forward.ts', ...LINK.map((name) => `src/agent/publisher/${name}.ts`)],
    // Those over real brokers find no more, and take minutes for it.
    tests: ['test/agent/forward-link.test.ts', ...LINK.map((name) => `test/agent/publisher/${name}.test.ts`)],
  },
  // Those in another process or thread are not reached by a change, and the model needs its time to meet all that it asks for.
  'log-file': logGroup([
    'ballast',
    'head-witness',
    'log-error',
    'log-file',
    'mark-timer',
    'mount',
    'open-log-reader',
    'prove-safe',
  ]),
  'log-rows': logGroup(
    [
      'core',
      'epoch-chain',
      'insert',
      'kept-json',
      'read-proven',
      'recent',
      'remember',
      'rows',
      'tell-missing',
      'tells',
      'whole',
      'words',
    ],
    ['damaged-parts'],
  ),
  'log-room': logGroup(['budget', 'room', 'thin', 'trim']),
  'log-begin': logGroup(
    ['begin', 'open-core', 'open-event-log', 'tell-missing'],
    ['full-disk', 'interleaved', 'salvage', 'trim'],
  ),
  'log-salvage': logGroup(
    ['aside', 'prove', 'salvage', 'without', 'wreck', 'wreck-words'],
    ['salvage-model', 'thin-salvage', 'open-core'],
  ),
  'log-thread': alsoThe('src/agent/log/log-thread.ts', logGroup(['open-log-worker', 'serve-log', 'start-log-thread'])),
};

/** Killed mutants of a hundred: below it the run fails. */
export const LOWEST_SCORE = 85;

function centralTest(name: string): string {
  return `test/central/${name}.test.ts`;
}

function logGroup(names: readonly string[], besides: readonly string[] = []): Group {
  return {
    mutate: names.map((name) => `src/agent/log/${name}.ts`),
    tests: [...names, ...besides].map((name) => `test/agent/log/${name}.test.ts`),
  };
}

/** A file that the tests of others ask. */
function alsoThe(file: string, { mutate, tests }: Group): Group {
  return { mutate: [...mutate, file], tests };
}
