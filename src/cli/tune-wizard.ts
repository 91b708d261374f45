/**
 * "Let it lie, then shake it ten times": finds with which sensitivity the shakes that were made are found, all of them and nothing
 * besides, and weighs these by how many meows they would have made of what the agent has kept. Pure: time is that of the readings.
 */
import type { Reading } from '../agent/decoder/reading.ts';
import { createWatch, step, type WatchInput, type WatchSettings } from '../agent/detector/watch.ts';

export const SHAKES = 10;
export const REST_MS = 5_000;
/** So long after the last one it is over. */
const QUIET_MS = 1_000;
/** Nobody shakes for longer. */
const MOST_MS = 180_000;
/** Readings that are remembered: three minutes at 200 Hz. */
export const MOST_READINGS = 36_000;

/** What is tried: steps of a quarter or so, from the least to the most that the configuration takes. */
export const TRIED: readonly number[] = [0.2, 0.25, 0.32, 0.4, 0.5, 0.63, 0.8, 1, 1.25, 1.6, 2, 2.5, 3.2, 4, 5];

export interface Wizard {
  take(reading: Reading): void;
  readonly phase: 'rest' | 'shake' | 'done';
  readonly leftMs: number;
  /** Shakes that the settings as they are have found. */
  readonly found: number;
  /** It is over by itself, or somebody says so. */
  finish(): void;
  recorded(): Recorded;
}

export interface Recorded {
  readonly readings: readonly Reading[];
  /** Until then it lay still: what is found before is nothing. */
  readonly restUntilMs: number;
}

export interface Trial {
  readonly sensitivity: number;
  readonly found: number;
  /** While it lay still. */
  readonly falseAtRest: number;
  /** Of what was kept; null: not looked at. */
  readonly perHour: number | null;
}

export function createWizard(settings: WatchSettings): Wizard {
  const readings: Reading[] = [];
  let phase: Wizard['phase'] = 'rest';
  let beganMs = Number.NaN;
  let nowMs = Number.NaN;
  /** When the last one ended; NaN while one goes on. */
  let lastMs = Number.NaN;
  let found = 0;
  let state = createWatch();
  return {
    take(reading) {
      if (phase === 'done') return;
      if (Number.isNaN(beganMs)) beganMs = reading.atMs;
      nowMs = reading.atMs;
      readings.push(reading);
      const watched = step(state, { type: 'reading', reading }, settings);
      state = watched.state;
      for (const { type } of watched.detections) {
        if (type === 'meow.started' && phase === 'shake') found += 1;
        if (type === 'meow.started') lastMs = Number.NaN;
        if (type === 'meow.ended') lastMs = nowMs;
      }
      if (phase === 'rest' && nowMs - beganMs >= REST_MS) phase = 'shake';
      const isOver = found >= SHAKES && nowMs - lastMs >= QUIET_MS;
      if (isOver || nowMs - beganMs > MOST_MS || readings.length >= MOST_READINGS) phase = 'done';
    },
    get phase() {
      return phase;
    },
    get leftMs() {
      return phase === 'rest' && !Number.isNaN(beganMs) ? Math.max(0, REST_MS - (nowMs - beganMs)) : 0;
    },
    get found() {
      return found;
    },
    finish() {
      phase = 'done';
    },
    recorded: () => ({ readings, restUntilMs: beganMs + REST_MS }),
  };
}

/** What each sensitivity makes of the shakes that were made. */
export function tryAll({ readings, restUntilMs }: Recorded, settings: WatchSettings): Trial[] {
  return TRIED.map((sensitivity) => {
    const starts = startsOf(readings, { ...settings, shake: { ...settings.shake, sensitivity } });
    const atRest = starts.filter((startMs) => startMs < restUntilMs).length;
    return { sensitivity, found: starts.length - atRest, falseAtRest: atRest, perHour: null };
  });
}

function startsOf(readings: readonly Reading[], settings: WatchSettings): number[] {
  let state = createWatch();
  const inputs: WatchInput[] = readings.map((reading) => ({ type: 'reading', reading }));
  return inputs.flatMap((input) => {
    const watched = step(state, input, settings);
    state = watched.state;
    return watched.detections.flatMap((one) => (one.type === 'meow.started' ? [one.startMs] : []));
  });
}

/** Those that came nearest to the count and found nothing at rest, in their order. */
export function fittingOf(trials: readonly Trial[], made: number = SHAKES): Trial[] {
  const apart = ({ found, falseAtRest }: Trial) => Math.abs(found - made) + falseAtRest;
  const least = Math.min(...trials.map(apart));
  return trials.filter((one) => apart(one) === least);
}

/**
 * Of the fitting ones that of the fewest meows an hour; of equal ones the nearest to 1, which has learnt from many animals. Not the
 * least of several: at the border the next weaker shake would be missed.
 */
export function choose(fitting: readonly Trial[]): Trial | null {
  const inner = fitting.length >= 3 ? fitting.slice(1) : fitting;
  const worth = ({ perHour, sensitivity }: Trial) => [perHour ?? 0, Math.abs(Math.log(sensitivity))] as const;
  return inner.reduce<Trial | null>((best, one) => {
    if (best === null) return one;
    const [[a, near], [b, bestNear]] = [worth(one), worth(best)];
    return a < b || (a === b && near < bestNear) ? one : best;
  }, null);
}
