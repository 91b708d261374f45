/** How many meows an hour each of some settings would have made of what is kept of a collar. */
import { createRederiver, timeOf } from '../agent/rederive.ts';
import { blocksOf, type KeptSource } from './kept.ts';
import { type Changes, withChanges } from './tune-search.ts';

/** The newest of it: a million readings, some hours of one collar at 50 Hz. */
const NEWEST_BYTES = 6_000_000;
const HOUR_MS = 3_600_000;

/** Wall times. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Weighed {
  /** In the order of what was asked; null: nothing of this collar is kept. */
  readonly perHour: readonly (number | null)[];
  /** The same, with bursts counted as one where less than the longest quiet time of all lies between: nobody wins by joining them alone. */
  readonly spellsPerHour: readonly (number | null)[];
  /** How much of this collar was looked through. */
  readonly hours: number;
}

/** Throws CommandError where it cannot be read. `without`: somebody shook the collar then, so what is found there is no false alarm. `quietMs`: the longest of what is asked. */
export async function weighByKept(
  { folder, settings }: KeptSource,
  collar: string,
  asked: readonly Changes[],
  quietMs: number,
  without: Span,
): Promise<Weighed> {
  const runs = asked.map((changes) => ({
    meows: 0,
    spells: 0,
    newestMs: Number.NEGATIVE_INFINITY,
    rederiver: createRederiver(withChanges(settings, collar, changes)),
  }));
  const isWithout = (atMs: number) => atMs >= without.fromMs && atMs <= without.toMs;
  let coveredMs = 0;
  let lastMs: number | null = null;
  for await (const block of blocksOf(folder, () => undefined, { newestBytes: NEWEST_BYTES })) {
    const { offsetMs } = block.head;
    const entries = block.entries.filter(({ input }) => input.type !== 'reading' || input.reading.collar === collar);
    if (!block.goesOn) lastMs = null;
    for (const entry of entries) {
      if (entry.input.type !== 'reading') continue;
      const atMs = timeOf(entry);
      const passedMs = lastMs === null ? 0 : atMs - lastMs;
      // Silent for longer it was out of reach, and nothing could have been found.
      if (passedMs > 0 && passedMs < settings.silence.afterMs && !isWithout(atMs + offsetMs)) coveredMs += passedMs;
      lastMs = atMs;
    }
    for (const run of runs) {
      for (const one of run.rederiver.take({ ...block, entries }).anew) {
        if (one.collar !== collar) continue;
        if (one.type === 'meow.started' && !isWithout(one.startMs)) {
          run.meows += 1;
          if (one.startMs - run.newestMs >= quietMs) run.spells += 1;
          run.newestMs = one.startMs;
        } else if (one.type === 'meow.ended') run.newestMs = one.endMs;
      }
    }
  }
  const hours = coveredMs / HOUR_MS;
  const perHour = (count: number) => (hours > 0 ? count / hours : null);
  return {
    perHour: runs.map(({ meows }) => perHour(meows)),
    spellsPerHour: runs.map(({ spells }) => perHour(spells)),
    hours,
  };
}
