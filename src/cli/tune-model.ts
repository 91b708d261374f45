/** What `collard tune` shows of a collar, from its readings alone: level and certainty over the last seconds, meows, and what is wrong. */
import type { Reading } from '../agent/decoder/reading.ts';
import type { Detection } from '../agent/detector/detection.ts';
import { type ShakeBorders, shakeBorders, viewShake } from '../agent/detector/shake-view.ts';
import { createSigns, weightOf } from '../agent/detector/signs.ts';
import { createWatch, step, type WatchSettings } from '../agent/detector/watch.ts';
import type { LiveMeasure } from '../contract/live.ts';

/** A column of the picture stands for so much time. */
export const COLUMN_MS = 200;
/** Columns that are remembered: a minute. */
export const COLUMNS = 300;
const MEOWS = 8;
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
  /** By what it is judged; null before the first reading. */
  readonly measure: LiveMeasure | null;
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
    return watched === undefined || newest === null ? null : viewShake(watched.shake, newest);
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
      signs.take(reading, shake.level, weightOf(state.collars.get(reading.collar)?.shake.shaking.window));
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
        measure: shake?.measure ?? null,
        shaking: shake?.sinceMs != null,
        borders: shakeBorders(settings.shake, newest?.collar ?? ''),
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
