/**
 * Compares settings for who asks over MQTT, on the readings that are kept: in a thread of its own at the least priority, one at a time,
 * and only as long as somebody asks on. What was found is told until another question comes, or nobody asks any more.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { CompareAnswer, Compared, CompareQuestion } from '../contract/compare.ts';
import { ticks } from '../lib/wait.ts';
import type { CompareJob } from './compare-kept.ts';

export interface Comparer {
  /** Begins it, or tells how it stands; a text is why it is not to be had. */
  compare(question: CompareQuestion): CompareAnswer | string;
  /** Resolves after the signal aborted, once the thread is gone. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

export interface ComparerParts {
  /** Null: nothing is kept. */
  readonly kept: Pick<CompareJob, 'folder' | 'settings'> | null;
  readonly monoNow: () => number;
  readonly wallNow: () => number;
  /** What the thread runs; `compare-worker` by default. */
  readonly program?: URL;
}

/** A comparison that takes longer is given up. */
export const COMPARE_LIMIT_MS = 45_000;
/** Who has not asked for so long does not want to know any more. */
export const COMPARE_UNASKED_MS = 10_000;
/** A thread that needs more ends, and the agent goes on. */
const LIMITS = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 8 };
const LOOK_MS = 1_000;

export const NOTHING_KEPT =
  'nothing is kept here: set readings.keep in agent.yaml, such as readings: { keep: 48h / 200 MB }';

interface Work {
  readonly key: string;
  readonly begunMs: number;
  readonly worker: Worker;
  askedMs: number;
  /** Null: it goes on. */
  outcome: CompareAnswer | string | null;
}

export function createComparer(parts: ComparerParts): Comparer {
  const { kept, monoNow } = parts;
  let work: Work | null = null;
  const look = () => {
    if (work === null) return;
    const isUnwanted = monoNow() - work.askedMs > COMPARE_UNASKED_MS;
    if (work.outcome === null && (isUnwanted || monoNow() - work.begunMs > COMPARE_LIMIT_MS)) {
      work.outcome = `${COMPARE_LIMIT_MS / 1_000} s were not enough: ask for fewer hours`;
      void work.worker.terminate();
    }
    if (isUnwanted) work = null;
  };
  return {
    compare(question) {
      if (kept === null) return NOTHING_KEPT;
      look();
      const key = JSON.stringify(question);
      if (work !== null && work.key !== key && work.outcome === null)
        return 'settings are being compared already: try again in a while';
      if (work?.key !== key) work = begin(parts, { ...kept, question, nowMs: parts.wallNow() }, key);
      work.askedMs = monoNow();
      return work.outcome ?? { working: true };
    },
    async run(signal) {
      for await (const _ of ticks(LOOK_MS, signal)) look();
      await work?.worker.terminate();
      work = null;
    },
  };
}

function begin({ program, monoNow }: ComparerParts, job: CompareJob, key: string): Work {
  const { collar, hours } = job.question;
  const file = program ?? new URL(`./compare-worker${extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(file, { workerData: job, resourceLimits: LIMITS, name: 'compare' });
  const work: Work = { key, begunMs: monoNow(), worker, askedMs: monoNow(), outcome: null };
  worker.on('message', (compared: Compared | null) => {
    const nothing = `no readings of ${collar} are kept of the last ${hours} h`;
    work.outcome ??= compared === null ? nothing : { working: false, compared };
  });
  worker.on('error', (error: NodeJS.ErrnoException) => {
    work.outcome ??= error.code === 'ENOENT' ? `no readings are kept yet` : `it could not be done: ${error.message}`;
  });
  worker.on('exit', (code) => {
    work.outcome ??= `it ended before it was done (${code})`;
  });
  // The process may end while it works.
  worker.unref();
  return work;
}
