/** Runs targets one after the other, each in a thread that is watched, and puts aside what is found. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { asText } from './corpus.ts';
import type { Finding, FuzzResult } from './engine.ts';
import { HEADS } from './target.ts';
import type { Job } from './worker.ts';

// The log asks for it. A thread cannot set it: SQLite reads the environment of the process.
process.env.SQLITE_USE_URI ??= '1';

const HEAP_MB = 512;
const WATCHED_BYTES = 16_384;

export type Outcome = Omit<FuzzResult, 'corpus'> & { readonly target: string; readonly corpus: number };

export interface RunOptions {
  readonly seed: number;
  readonly runs: number;
  readonly seconds: number;
  readonly guided: boolean;
  readonly save: boolean;
  /** It ends when it has found so many. */
  readonly maxFindings: number;
  /** A run that takes so long never ends. */
  readonly hangMs: number;
  /** Where inputs go that break something. */
  readonly findings: string;
  /** Ends it with what it has. */
  readonly signal?: AbortSignal;
}

/** Rejects where the thread ends for a reason that is no finding. */
export function runFuzz(target: string, options: RunOptions): Promise<Outcome> {
  const { seed, runs, seconds, guided, save, maxFindings, hangMs, findings } = options;
  const watch = new SharedArrayBuffer(HEADS * 4 + WATCHED_BYTES);
  const heads = new Int32Array(watch, 0, HEADS);
  const stop = () => void Atomics.store(heads, 2, 1);
  if (options.signal?.aborted === true) stop();
  options.signal?.addEventListener('abort', stop, { once: true });
  const started = performance.now();
  const job: Job = { target, seed, runs, seconds, guided, save, maxFindings, watch };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: job,
    // The stack of a main thread: a thread has four times as much.
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, stackSizeMb: 1 },
  });
  return new Promise<Outcome>((resolve, reject) => {
    const cut = (message: string) => {
      const input = Uint8Array.from(new Uint8Array(watch, HEADS * 4, Math.min(heads[1] ?? 0, WATCHED_BYTES)));
      const spent = (performance.now() - started) / 1_000;
      const found: Finding[] = [{ message, input }];
      const none = { corpus: 0, branches: 0, of: 0, slowestMs: hangMs, digest: 0 };
      resolve(kept({ target, runs: heads[0] ?? 0, seconds: spent, ...none, findings: found }, findings));
    };
    let before = -1;
    const timer = setInterval(() => {
      const now = heads[0] ?? 0;
      if (now === before && now > 0) {
        void worker.terminate();
        cut(`does not end within ${hangMs} ms`);
      }
      before = now;
    }, hangMs);
    worker.on('message', (result: Omit<Outcome, 'target'>) => resolve(kept({ ...result, target }, findings)));
    worker.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') cut(`takes more than ${HEAP_MB} MB`);
      else reject(error);
    });
    worker.on('exit', (code) => {
      clearInterval(timer);
      options.signal?.removeEventListener('abort', stop);
      reject(new Error(`the thread ended with ${code}`));
    });
  });
}

function kept(outcome: Outcome, folder: string): Outcome {
  for (const [i, finding] of outcome.findings.entries()) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${outcome.target}-${i}.txt`), `${asText(finding.input)}\n${finding.message}\n`);
  }
  return outcome;
}

export function asTable(outcomes: readonly Outcome[]): string {
  const head = ['target', 'executions', 'a second', 'branches', 'corpus', 'slowest ms', 'findings'];
  const rows = outcomes.map(({ target, runs, seconds, branches, of, corpus, slowestMs, findings }) => [
    target,
    String(runs),
    (runs / seconds).toFixed(0),
    `${branches} of ${of}`,
    String(corpus),
    slowestMs.toFixed(1),
    String(findings.length),
  ]);
  const found = outcomes.flatMap(({ target, findings }) =>
    findings.map(({ message, input }) => `${target}: ${message}\n  input ${asText(input)}\n`),
  );
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return `${lines.join('\n')}\n\n${found.join('')}`;
}
