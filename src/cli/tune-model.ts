/** What `collard tune` shows of a collar, from its readings alone: level and certainty over the last seconds, meows, and what is wrong. */
import type { Reading } from '../agent/decoder/reading.ts';
import type { Detection } from '../agent/detector/detection.ts';
import { type ShakeBorders, shakeBorders, viewShake } from '../agent/detector/shake-view.ts';
import { createWatch, step, type WatchSettings } from '../agent/detector/watch.ts';

/** A column of the picture stands for so much time. */
export const COLUMN_MS = 200;
/** Columns that are remembered: a minute. */
export const COLUMNS = 300;
const MEOWS = 8;
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

export interface Column {
  level: number;
  odds: number | null;
  shaking: boolean;
}

export interface Meow {
  readonly startMs: number;
  /** null: it goes on. */
  readonly endMs: number | null;
  readonly peakG: number | null;
}

export interface TuneView {
  /** Time of the newest reading; null before the first. */
  readonly atMs: number | null;
  readonly readings: number;
  readonly level: number;
  readonly odds: number | null;
  readonly shaking: boolean;
  readonly borders: ShakeBorders;
  /** Of acceleration; null where there is too little to tell. */
  readonly rateHz: number | null;
  /** What it weighs when it lies still, in what its unit says is g; null: it has not lain still yet. */
  readonly restG: number | null;
  /** Oldest first. */
  readonly columns: readonly Column[];
  readonly meows: readonly Meow[];
  readonly meowCount: number;
  readonly warnings: readonly string[];
}

export interface TuneModel {
  take(reading: Reading): readonly Detection[];
  /** From now on other settings; what was decided stays. */
  change(settings: WatchSettings): void;
  view(): TuneView;
}

export function createTuneModel(first: WatchSettings): TuneModel {
  let settings = first;
  let state = createWatch();
  let newest: Reading | null = null;
  let readings = 0;
  let columns: Column[] = [];
  let column = Number.NaN;
  let meows: Meow[] = [];
  let meowCount = 0;
  const signs = createSigns();
  const shakeOf = () => {
    const watched = newest === null ? undefined : state.collars.get(newest.collar);
    return watched === undefined ? null : viewShake(watched.shake, newest?.shake);
  };
  const note = (detection: Detection) => {
    if (detection.type === 'meow.started') {
      meowCount += 1;
      meows = [...meows, { startMs: detection.startMs, endMs: null, peakG: null }].slice(-MEOWS);
    } else if (detection.type === 'meow.ended') {
      const { startMs, endMs, peakG } = detection;
      meows = [...meows.filter((one) => one.endMs !== null), { startMs, endMs, peakG }].slice(-MEOWS);
    }
  };
  return {
    take(reading) {
      readings += 1;
      newest = reading;
      const watched = step(state, { type: 'reading', reading }, settings);
      state = watched.state;
      watched.detections.forEach(note);
      const shake = shakeOf();
      if (shake === null) return watched.detections;
      signs.take(reading, shake.level, restOf(state.collars.get(reading.collar)?.shake.shaking.window));
      const now = { level: shake.level, odds: shake.odds, shaking: shake.sinceMs !== null };
      const at = Math.floor(reading.atMs / COLUMN_MS);
      const last = columns.at(-1);
      if (at === column && last !== undefined) join(last, now);
      else columns = [...gap(columns, at - column), now].slice(-COLUMNS);
      column = at;
      return watched.detections;
    },
    change(next) {
      settings = next;
    },
    view() {
      const shake = shakeOf();
      return {
        atMs: newest?.atMs ?? null,
        readings,
        level: shake?.level ?? 0,
        odds: shake?.odds ?? null,
        shaking: shake?.sinceMs != null,
        borders: shakeBorders(settings.shake),
        rateHz: signs.rateHz(),
        restG: signs.restG,
        columns,
        meows,
        meowCount,
        warnings: signs.warnings(),
      };
    },
  };
}

/** The strongest of what falls into one column. */
function join(into: Column, now: Column): void {
  into.level = Math.max(into.level, now.level);
  if (now.odds !== null) into.odds = Math.max(into.odds ?? now.odds, now.odds);
  into.shaking ||= now.shaking;
}

/** Time in which nothing came is empty; a clock that has gone back begins anew. */
function gap(columns: readonly Column[], passed: number): readonly Column[] {
  if (!(passed >= 1)) return [];
  const empty = Array.from({ length: Math.min(COLUMNS, passed - 1) }, () => ({ level: 0, odds: null, shaking: false }));
  return [...columns, ...empty];
}

function restOf(window: { gravityX: number; gravityY: number; gravityZ: number } | undefined): number | null {
  return window === undefined ? null : Math.hypot(window.gravityX, window.gravityY, window.gravityZ);
}

/** Signs that the readings are not what they seem. */
function createSigns() {
  let times: number[] = [];
  let stillSinceMs = Number.NaN;
  let restG: number | null = null;
  let counter: number | undefined;
  let restarts = 0;
  const rateHz = () => {
    const [first, last] = [times[0], times.at(-1)];
    if (first === undefined || last === undefined || last - first < RATE_MS / 2) return null;
    return ((times.length - 1) * 1_000) / (last - first);
  };
  return {
    take(reading: Reading, level: number, weighs: number | null) {
      if (restarted(counter, reading.counter)) restarts += 1;
      counter = reading.counter ?? counter;
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
    warnings(): string[] {
      const rate = rateHz();
      const found: string[] = [];
      if (restG !== null && (restG < LEAST_REST_G || restG > MOST_REST_G)) found.push(unitWarning(restG));
      if (rate !== null && Math.round(rate) < LEAST_RATE_HZ)
        found.push(`${rate.toFixed(1)} readings a second: a shake needs ${LEAST_RATE_HZ} and more`);
      if (restarts > 0)
        found.push(`its counter has begun again ${restarts === 1 ? 'once' : `${restarts} times`}: the collar restarts`);
      return found;
    },
  };
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
