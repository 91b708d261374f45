/** Runs ranges of seeds in processes of their own: each simulates one house at a time. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Control } from './simulate.ts';
import { emptyTally, merge, type Tally } from './tally.ts';

export interface Chunk {
  readonly from: number;
  readonly count: number;
  readonly control?: Control;
  readonly often: readonly string[];
}

export interface SeedsOptions {
  readonly from: number;
  readonly seeds: number;
  readonly control?: Control;
  /** Names of the kinds of faults that strike more often. */
  readonly often: readonly string[];
  readonly processes: number;
  /** No new seeds after this time. */
  readonly minutes: number;
  readonly tell: (line: string) => void;
}

export interface SeedsOutcome {
  readonly tally: Tally;
  readonly seconds: number;
  /** Of all processes together. */
  readonly cpuSeconds: number;
}

export interface ChunkDone {
  readonly tally: Tally;
  readonly cpuSeconds: number;
}

const CHUNK_SEEDS = 25;
const TELL_MS = 30_000;

/** Rejects where a process ends before its time: a seed that takes the simulation along is a fault of the simulation. */
export async function runSeeds(options: SeedsOptions): Promise<SeedsOutcome> {
  const { from, seeds, control, often, processes, minutes, tell } = options;
  const startedMs = performance.now();
  const secondsNow = () => (performance.now() - startedMs) / 1_000;
  const done = new Map<number, ChunkDone>();
  let toldMs = startedMs;
  let next = from;
  const work = async () => {
    const child = fork(new URL('run-chunks.ts', import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    try {
      while (next < from + seeds && secondsNow() < minutes * 60) {
        const count = Math.min(CHUNK_SEEDS, from + seeds - next);
        const chunk: Chunk = { from: next, count, often, ...(control === undefined ? {} : { control }) };
        next += count;
        const answer = await ask(child, chunk);
        done.set(chunk.from, answer);
        for (const breach of answer.tally.breaches) tell(breach);
        if (performance.now() - toldMs < TELL_MS) continue;
        toldMs = performance.now();
        tell(`${next - from} seeds in ${secondsNow().toFixed(0)} s, ${sum(done).failed} failed`);
      }
    } finally {
      child.kill();
    }
  };
  await Promise.all(Array.from({ length: processes }, work));
  const cpuSeconds = [...done.values()].reduce((all, one) => all + one.cpuSeconds, 0);
  return { tally: sum(done), seconds: secondsNow(), cpuSeconds };
}

async function ask(child: ChildProcess, chunk: Chunk): Promise<ChunkDone> {
  child.send(chunk);
  const stop = new AbortController();
  const { signal } = stop;
  try {
    const answer = once(child, 'message', { signal });
    const gone = once(child, 'exit', { signal }).then(([code]) => {
      throw new Error(`the simulation of seeds from ${chunk.from} on ended with code ${String(code)}`);
    });
    const [message] = await Promise.race([answer, gone]);
    return message as ChunkDone;
  } finally {
    stop.abort();
  }
}

/** In the order of the seeds, whoever was done first. */
function sum(done: ReadonlyMap<number, ChunkDone>): Tally {
  const all = emptyTally();
  for (const [, { tally }] of [...done].sort(([a], [b]) => a - b)) merge(all, tally);
  return all;
}
