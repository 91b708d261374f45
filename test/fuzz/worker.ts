/** Fuzzes one target in a thread of its own, so that a run that never ends can be seen and stopped from outside. */
import { parentPort, workerData } from 'node:worker_threads';
import { asText, MAX_CORPUS_BYTES, readCorpus, writeCorpus } from './corpus.ts';
import { distil, fuzz } from './engine.ts';
import { registerCoverage } from './instrument.ts';
import { BORDERS, openTarget } from './target.ts';

export interface Job {
  readonly target: string;
  readonly seed: number;
  readonly runs: number;
  readonly seconds: number;
  readonly guided: boolean;
  readonly save: boolean;
  readonly maxFindings: number;
  /** Of the run that is on: how many there were, its length, its bytes. */
  readonly watch: SharedArrayBuffer;
}

const job = workerData as Job;
const border = BORDERS[job.target];
if (border === undefined) throw new Error(`no target ${job.target}`);
const coverage = registerCoverage(border.instrument);
const target = await openTarget(job.target);
const heads = new Int32Array(job.watch, 0, 2);
const bytes = new Uint8Array(job.watch, 8);
const result = await fuzz(target, coverage, {
  seed: job.seed,
  runs: job.runs,
  untilMs: performance.now() + job.seconds * 1_000,
  guided: job.guided,
  maxFindings: job.maxFindings,
  corpus: job.guided ? readCorpus(job.target) : [],
  before(input) {
    bytes.set(input.subarray(0, bytes.length));
    heads[1] = input.length;
    heads[0] = (heads[0] as number) + 1;
  },
});
const saved = job.save
  ? writeCorpus(
      job.target,
      await distil(
        target,
        coverage,
        [...target.seeds, ...result.corpus],
        MAX_CORPUS_BYTES,
        (input) => asText(input).length,
      ),
    )
  : null;
await target.close?.();
parentPort?.postMessage({ ...result, corpus: result.corpus.length, saved });
