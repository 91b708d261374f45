import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** What is mutated, and the tests that must notice. */
export interface Group {
  readonly mutate: readonly string[];
  readonly tests: readonly string[];
}

const PLAN = ['batch', 'confirm', 'epoch-gate', 'plan', 'plan-state', 'ranges', 'status'];
const LINK = ['answer', 'hear', 'publisher', 'session', 'session-state', 'signing-key'];

const THREAD = ['open-log-worker', 'serve-log'];

export const GROUPS: Readonly<Record<string, Group>> = {
  envelope: {
    mutate: ['envelope', 'json', 'sorted-batch'].map((name) => `src/contract/${name}.ts`),
    tests: ['envelope', 'json', 'sorted-batch'].map((name) => `test/contract/${name}.test.ts`),
  },
  ingest: { mutate: ['src/agent/ingest.ts'], tests: ['test/agent/ingest.test.ts'] },
  /** What is sent next, decided without any port. */
  plan: {
    mutate: PLAN.map((name) => `src/agent/publisher/${name}.ts`),
    tests: [...PLAN, 'plan-model'].map((name) => `test/agent/publisher/${name}.test.ts`),
  },
  forward: {
    mutate: ['src/agent/forward.ts', ...LINK.map((name) => `src/agent/publisher/${name}.ts`)],
    // Those over real brokers find no more, and take minutes for it.
    tests: ['test/agent/forward-link.test.ts', ...LINK.map((name) => `test/agent/publisher/${name}.test.ts`)],
  },
  log: {
    mutate: filesOf('src/agent/log').filter((path) => !THREAD.some((name) => path.endsWith(`/${name}.ts`))),
    // No change reaches another process or thread, and the model needs its time to meet all that it asks for.
    tests: filesOf('test/agent/log').filter(
      (path) =>
        path.endsWith('.test.ts') && !/\/(kill|log-in-thread|open-log-worker|serve-log|thin-model)\./.test(path),
    ),
  },
  /** The two ends of the thread that owns the log. */
  'log-thread': {
    mutate: THREAD.map((name) => `src/agent/log/${name}.ts`),
    tests: THREAD.map((name) => `test/agent/log/${name}.test.ts`),
  },
};

/** Killed mutants of a hundred: below it the run fails. */
export const LOWEST_SCORE = 85;

function filesOf(folder: string): string[] {
  const files = readdirSync(join(import.meta.dirname, '../..', folder)).filter((name) => name.endsWith('.ts'));
  return files.sort().map((name) => `${folder}/${name}`);
}
