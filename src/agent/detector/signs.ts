/** Signs that the readings of a collar are not what they seem: a wrong unit, a slow rate, a collar that restarts. For who looks on. */
import type { Reading } from '../decoder/reading.ts';

/** The rate is that of the last seconds. */
const RATE_MS = 3_000;
/** Below this level in g it lies still, and what it weighs is one g. */
const STILL_G = 0.1;
/** It must lie still so long before its weight is believed. */
const STILL_MS = 1_500;
const LEAST_REST_G = 0.8;
const MOST_REST_G = 1.2;
const LEAST_RATE_HZ = 25;
/** A counter that jumps by more, one way or the other, has begun again: less is loss, or late. */
const MOST_LOST = 3_000;
const MOST_LATE = 64;
const COUNTS = 65_536;

/** Changed in place. */
export interface Signs {
  /** The next reading, the level that the detector sees after it, and what the collar weighs (weightOf); null: without acceleration. */
  take(reading: Reading, level: number, weighs: number | null): void;
  /** Of acceleration; null where there is too little to tell. */
  rateHz(): number | null;
  /** What it weighs when it lies still, in what its unit says is g; null: it has not lain still yet. */
  readonly restG: number | null;
  warnings(): string[];
}

export function createSigns(): Signs {
  let times: number[] = [];
  let stillSinceMs = Number.NaN;
  let restG: number | null = null;
  let counter: number | undefined;
  let restarts = 0;
  /** Its shakes are told by what comes beside acceleration, however seldom (RuuviTag). */
  let tellsElse = false;
  const rateHz = () => {
    const [first, last] = [times[0], times.at(-1)];
    if (first === undefined || last === undefined || last - first < RATE_MS / 2) return null;
    return ((times.length - 1) * 1_000) / (last - first);
  };
  return {
    take(reading, level, weighs) {
      if (restarted(counter, reading.counter)) restarts += 1;
      counter = reading.counter ?? counter;
      tellsElse ||= reading.edges !== undefined || reading.shake !== undefined;
      if (reading.axG === undefined) return;
      const { atMs } = reading;
      if (atMs < (times.at(-1) ?? atMs)) times = [];
      times.push(atMs);
      while ((times[0] ?? atMs) < atMs - RATE_MS) times.shift();
      // By a share of what it weighs: in a wrong unit nothing is ever as still as in g.
      const isStill = level < STILL_G * Math.max(1, weighs ?? 1);
      if (!isStill || atMs < stillSinceMs) stillSinceMs = Number.NaN;
      else if (Number.isNaN(stillSinceMs)) stillSinceMs = atMs;
      else if (atMs - stillSinceMs >= STILL_MS) restG = weighs;
    },
    rateHz,
    get restG() {
      return restG;
    },
    warnings() {
      const rate = rateHz();
      const found: string[] = [];
      if (restG !== null && (restG < LEAST_REST_G || restG > MOST_REST_G)) found.push(unitWarning(restG));
      if (rate !== null && Math.round(rate) < LEAST_RATE_HZ && !tellsElse)
        found.push(`${rate.toFixed(1)} readings a second: a shake needs ${LEAST_RATE_HZ} and more`);
      if (restarts > 0)
        found.push(`its counter has begun again ${restarts === 1 ? 'once' : `${restarts} times`}: the collar restarts`);
      return found;
    },
  };
}

/** What a collar weighs by the detector's mean of gravity. */
export function weightOf(window: { gravityX: number; gravityY: number; gravityZ: number } | undefined): number | null {
  return window === undefined ? null : Math.hypot(window.gravityX, window.gravityY, window.gravityZ);
}

function restarted(before: number | undefined, now: number | undefined): boolean {
  if (before === undefined || now === undefined) return false;
  const ahead = (((now - before) % COUNTS) + COUNTS) % COUNTS;
  return ahead > MOST_LOST && COUNTS - ahead > MOST_LATE;
}

/** What one g of it is called, where that has a name. */
function unitWarning(restG: number): string {
  const units = [
    ['m/s2', 9.806_65],
    ['mg', 1_000],
  ] as const;
  const known = units.find(([, one]) => restG > one * LEAST_REST_G && restG < one * MOST_REST_G);
  const unit = known?.[0] ?? (restG > 2 ? String(Math.round(restG)) : null);
  const fix = unit === null ? 'look at its unit and its range' : `set unit: ${unit} for its source`;
  return `at rest it weighs ${restG < 10 ? restG.toFixed(2) : restG.toFixed(0)} g, not 1: ${fix}`;
}
