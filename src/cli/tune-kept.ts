/** How many meows an hour each of some sensitivities would have made of what is kept of a collar. */
import { readKept } from '../agent/kept/read-kept.ts';
import { createRederiver, timeOf } from '../agent/rederive.ts';
import type { KeptSource } from './kept.ts';
import type { Trial } from './tune-wizard.ts';

/** The newest of it: a million readings, some hours of one collar at 50 Hz. */
const NEWEST_BYTES = 6_000_000;
const HOUR_MS = 3_600_000;

export interface Weighed {
  readonly trials: readonly Trial[];
  /** How much of this collar was looked through. */
  readonly hours: number;
}

export async function weighByKept(
  { folder, settings }: KeptSource,
  collar: string,
  trials: readonly Trial[],
): Promise<Weighed> {
  const runs = trials.map((trial) => ({
    trial,
    meows: 0,
    rederiver: createRederiver({ ...settings, shake: { ...settings.shake, sensitivity: trial.sensitivity } }),
  }));
  let coveredMs = 0;
  for await (const block of readKept(folder, () => undefined, NEWEST_BYTES)) {
    const entries = block.entries.filter(({ input }) => input.type !== 'reading' || input.reading.collar === collar);
    const heard = entries.filter(({ input }) => input.type === 'reading');
    const [first, last] = [heard[0], heard.at(-1)];
    if (first !== undefined && last !== undefined) coveredMs += timeOf(last) - timeOf(first);
    for (const run of runs) {
      const { anew } = run.rederiver.take({ ...block, entries });
      run.meows += anew.filter((one) => one.type === 'meow.started' && one.collar === collar).length;
    }
  }
  const hours = coveredMs / HOUR_MS;
  return {
    trials: runs.map(({ trial, meows }) => ({ ...trial, perHour: hours > 0 ? meows / hours : null })),
    hours,
  };
}
