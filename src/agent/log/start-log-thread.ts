/**
 * Starts the thread of the log, which can be done before it is known what it shall open: it reads its modules while the main thread
 * reads its own.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';

/** A thread beyond this ends, and the agent with it. V8 takes what it is given: the small one is filled again and again. */
const LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 3 };

// The driver reads the environment of the process, which a thread cannot change: see `log-file.ts`.
process.env.SQLITE_USE_URI ??= '1';

/** A thread that waits for its `LogStart`. `program` is what it runs; `log-worker` by default. */
export function startLogThread(program?: URL): Worker {
  const file = program ?? new URL(`./log-worker${extname(import.meta.url)}`, import.meta.url);
  return new Worker(file, { resourceLimits: LIMITS, name: 'log' });
}

/** Starts one now that keeps no process. Returns what gives it away, once; where it has ended by itself or is gone, another one. */
export function startEarly(program?: URL): () => Worker {
  let early: Worker | null = startLogThread(program);
  early.unref();
  const gone = () => {
    early = null;
  };
  // Why it ended is told by the next one, which ends in the same way.
  early.once('error', gone);
  early.once('exit', gone);
  return () => {
    const worker = early ?? startLogThread(program);
    early = null;
    worker.ref();
    return worker;
  };
}
