/**
 * The replay: events → the next version of the models, beside the live one. Folds, catches up, compares, swaps. It only ever writes
 * tables: nothing is published and nobody is alerted.
 */
import { setImmediate } from 'node:timers/promises';
import type { Build, Comparison, ReplayOptions, ReplayStore } from './store/replay-store.ts';
import type { CatRow } from './store/store.ts';

/** How often it may be overtaken by the live version between catching up and swapping. */
const SWAP_TRIES = 100;

export interface ReplayProgress {
  readonly phase: 'reading segments' | 'folding' | 'catching up' | 'comparing' | 'swapping';
  readonly version: number;
  readonly resumed: boolean;
  readonly segmentsLeft: number;
  readonly done: number;
  readonly total: number;
  /** Of this run. */
  readonly eventsPerSecond: number;
  readonly secondsLeft: number | null;
}

export interface ReplayOutcome {
  readonly version: number;
  /** The signal came first: what is built stays, and the next replay goes on from there. */
  readonly interrupted: boolean;
  /** All that are in, of this run and of those before. */
  readonly events: number;
  readonly seconds: number;
  readonly eventsPerSecond: number;
  readonly comparison: Comparison | null;
  readonly swapped: boolean;
  /** Of a past time: its digest and its cats. */
  readonly past: { readonly digest: string; readonly cats: readonly CatRow[] } | null;
}

export interface ReplayParts {
  readonly store: Pick<ReplayStore, 'build'>;
  readonly options: ReplayOptions;
  readonly onProgress: (progress: ReplayProgress) => void;
  /** Milliseconds that only go on. */
  readonly elapsedMs: () => number;
}

/** Rejects with codes REPLAY_TAKEN, NOTHING_BUILT, EXPIRED, SEGMENT_DAMAGED or the store's error. */
export async function runReplay(parts: ReplayParts, signal: AbortSignal): Promise<ReplayOutcome> {
  const build = await parts.store.build(parts.options);
  try {
    return await follow(build, parts, signal);
  } finally {
    build.close();
  }
}

async function follow(build: Build, parts: ReplayParts, signal: AbortSignal): Promise<ReplayOutcome> {
  const { options, onProgress, elapsedMs } = parts;
  const began = elapsedMs();
  let folded = 0;
  const report = (phase: ReplayProgress['phase'], segmentsLeft = 0) =>
    onProgress({ ...progressOf(build, folded, elapsedMs() - began), phase, segmentsLeft });
  const outcome = (rest: Partial<ReplayOutcome>): ReplayOutcome => {
    const seconds = (elapsedMs() - began) / 1_000;
    return {
      version: build.version,
      interrupted: false,
      events: build.done + folded,
      seconds,
      eventsPerSecond: folded === 0 ? 0 : Math.round(folded / seconds),
      comparison: null,
      swapped: false,
      past: null,
      ...rest,
    };
  };
  report('folding');
  for (let finished = false; !finished; ) {
    if (signal.aborted) return outcome({ interrupted: true });
    const step = await build.step();
    if (step.phase === 'folding') folded += step.events;
    finished = step.finished;
    report(step.phase, step.segmentsLeft);
    // SQLite's driver never waits: signals would not be heard.
    await setImmediate();
  }
  if (options.to !== null) {
    return outcome({ past: { digest: await build.digest(), cats: await build.cats(new Date(options.to)) } });
  }
  report('catching up');
  folded += await build.catchUp();
  if (signal.aborted) return outcome({ interrupted: true });
  report('comparing');
  const comparison = await build.compare();
  if (!comparison.equal && !options.accept) return outcome({ comparison });
  if (signal.aborted) return outcome({ comparison, interrupted: true });
  report('swapping');
  return outcome({ comparison, swapped: await swap(build) });
}

/** The live version may have gone on in between: then the rest is caught up with first. */
async function swap(build: Build): Promise<boolean> {
  for (let tries = 1; tries <= SWAP_TRIES; tries += 1) {
    if (await build.swap()) return true;
    await build.catchUp();
  }
  return false;
}

function progressOf(build: Build, folded: number, ms: number): Omit<ReplayProgress, 'phase' | 'segmentsLeft'> {
  const { version, resumed, total } = build;
  const done = build.done + folded;
  const rate = ms > 0 ? (folded * 1_000) / ms : 0;
  const secondsLeft = rate > 0 ? Math.max(0, total - done) / rate : null;
  return { version, resumed, done, total, eventsPerSecond: Math.round(rate), secondsLeft };
}
