/** Fuzzes one target in a thread of its own, so that a run that never ends can be seen and stopped from outside. */
import { parentPort, workerData } from 'node:worker_threads';
import { asText, MAX_CORPUS_BYTES, readCorpus, writeCorpus } from './corpus.ts';
import { distil, fuzz } from './engine.ts';
import { registerCoverage } from './instrument.ts';
import { BORDERS, HEADS, openTarget } from './target.ts';

export interface Job {
  readonly target: string;
  readonly seed: number;
  readonly runs: number;
  readonly seconds: number;
  readonly guided: boolean;
  readonly save: boolean;
  readonly maxFindings: number;
  /** Of the run that is on: how many there were, its length; then whether it is to end; then its bytes. */
  readonly watch: SharedArrayBuffer;
}

const job = workerData as Job;
const border = BORDERS[job.target];
if (border === undefined) throw new Error(`no target ${job.target}`);
const coverage = registerCoverage(border.instrument);
const target = await openTarget(job.target);
const heads = new Int32Array(job.watch, 0, HEADS);
const bytes = new Uint8Array(job.watch, HEADS * 4);
const result = await fuzz(target, coverage, {
  seed: job.seed,
  runs: job.runs,
  untilMs: performance.now() + job.seconds * 1_000,
  isOver: () => Atomics.load(heads, 2) !== 0,
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
