/**
 * "Let it lie, then shake it ten times": what a collar sends meanwhile, and how far it is. Time is that of the readings; only where
 * none come that of who looks on counts.
 */
import type { Reading } from '../agent/decoder/reading.ts';
import { createWatch, step, type WatchSettings } from '../agent/detector/watch.ts';
import type { LiveMeasure } from '../contract/live.ts';
import { type Bout, createMotions, pauseOf } from './tune-bouts.ts';

export const SHAKES = 10;
export const REST_MS = 5_000;
/** So many readings of it are waited for besides, up to … */
const REST_READINGS = 3;
/** … so many times its time. */
const MOST_RESTS = 3;
/** Nobody shakes for longer, but with a collar that sends slowly: that takes so many of its readings. */
const MOST_MS = 180_000;
const MOST_WAITS = 120;
const MOST_SLOW_MS = 1_200_000;
/** Readings that are remembered: three minutes at 200 Hz. */
export const MOST_READINGS = 36_000;
/** Pauses are asked for that are so much longer than those that count. */
const MORE = 1.25;
const LEAST_ASKED_MS = 2_000;
/** It is over when it was quiet behind the tenth for so much of such a pause. */
const QUIET_SHARE = 0.75;
/** How many there are so far is counted anew so often. */
const COUNT_MS = 250;

export interface Wizard {
  take(reading: Reading): void;
  /** Time passes for who looks on, in any clock: collars that send only when they move say nothing while they lie. */
  pass(nowMs: number): void;
  readonly phase: 'rest' | 'shake' | 'done';
  readonly leftMs: number;
  /** Shakes that were made, by their strength and by the pauses between; and found by the settings as they are. */
  readonly seen: number;
  readonly found: number;
  /** How it is to be shaken: a collar that sends slowly asks for longer shakes and pauses. */
  readonly asked: { readonly shakeMs: number; readonly pauseMs: number };
  /** It is over by itself, or somebody says so. */
  finish(): void;
  recorded(): Recorded;
}

export interface Recorded {
  readonly readings: readonly Reading[];
  /** Until then it lay still: what is found before is nothing. */
  readonly restUntilMs: number;
  /** Told from the readings alone, with the knowledge that ten were made. */
  readonly bouts: readonly Bout[];
  /** What they were told from; null: nothing was heard that says anything of shakes. */
  readonly measure: LiveMeasure | null;
  readonly kinds: readonly LiveMeasure[];
  readonly everyMs: number | null;
}

export function createWizard(settings: WatchSettings): Wizard {
  const readings: Reading[] = [];
  const motions = createMotions();
  let phase: Wizard['phase'] = 'rest';
  let [beganMs, nowMs, restUntilMs, countedMs] = [Number.NaN, Number.NaN, Number.NEGATIVE_INFINITY, Number.NaN];
  const looker = createLooker();
  let [everyMs, found] = [null as number | null, 0];
  let bouts: readonly Bout[] = [];
  const meowsBy = createFinder(settings);
  const count = () => {
    countedMs = nowMs;
    everyMs = motions.everyMs;
    if (phase === 'shake') bouts = motions.bouts(restUntilMs);
  };
  const isOver = (quietMs: number) => bouts.length >= SHAKES && quietMs >= QUIET_SHARE * pauseAsked(everyMs);
  return {
    take(reading) {
      if (phase === 'done') return;
      if (Number.isNaN(beganMs)) beganMs = reading.atMs;
      nowMs = reading.atMs;
      readings.push(reading);
      motions.take(reading);
      const meows = meowsBy(reading);
      if (phase === 'shake') found += meows;
      else if (isRested(nowMs - beganMs, readings.length)) [phase, restUntilMs] = ['shake', nowMs];
      if (!(Math.abs(nowMs - countedMs) < COUNT_MS)) count();
      const isTooLong = nowMs - beganMs > mostMs(everyMs) || readings.length >= MOST_READINGS;
      if (isTooLong || isOver(nowMs - (bouts.at(-1)?.toMs ?? nowMs))) phase = 'done';
    },
    pass(passMs) {
      const { passedMs, silentMs } = looker.look(passMs, readings.length);
      if (phase === 'rest' && silentMs >= REST_MS * (readings.length === 0 ? 1 : MOST_RESTS)) {
        phase = 'shake';
        // The next reading is later: nobody knows by how much.
        if (readings.length > 0) restUntilMs = nowMs + 1;
      } else if (phase === 'shake' && readings.length > 0) {
        if (silentMs >= COUNT_MS && countedMs !== nowMs) count();
        if (isOver(silentMs) || passedMs > mostMs(everyMs) + REST_MS * MOST_RESTS) phase = 'done';
      }
    },
    get phase() {
      return phase;
    },
    get leftMs() {
      if (phase !== 'rest') return 0;
      return Number.isNaN(beganMs) ? REST_MS : Math.max(0, REST_MS - (nowMs - beganMs));
    },
    get seen() {
      return bouts.length;
    },
    get found() {
      return found;
    },
    get asked() {
      return { shakeMs: wholeSeconds(Math.max(1_000, 2 * (everyMs ?? 0))), pauseMs: pauseAsked(everyMs) };
    },
    finish() {
      phase = 'done';
    },
    recorded: () => ({
      readings,
      restUntilMs,
      bouts: motions.bouts(restUntilMs, SHAKES),
      measure: motions.measure,
      kinds: motions.kinds,
      everyMs: motions.everyMs,
    }),
  };
}

/** How many meows begin with a reading, by the settings as they are. */
function createFinder(settings: WatchSettings): (reading: Reading) => number {
  let state = createWatch();
  return (reading) => {
    const watched = step(state, { type: 'reading', reading }, settings);
    state = watched.state;
    return watched.detections.filter(({ type }) => type === 'meow.started').length;
  };
}

function isRested(restedMs: number, readings: number): boolean {
  return restedMs >= REST_MS && (readings >= REST_READINGS || restedMs >= MOST_RESTS * REST_MS);
}

function pauseAsked(everyMs: number | null): number {
  return wholeSeconds(Math.max(LEAST_ASKED_MS, MORE * pauseOf(everyMs)));
}

function mostMs(everyMs: number | null): number {
  return Math.min(MOST_SLOW_MS, Math.max(MOST_MS, MOST_WAITS * (everyMs ?? 0)));
}

function wholeSeconds(ms: number): number {
  return Math.ceil(ms / 1_000) * 1_000;
}

/** The clock of who looks on: since the first look, and since the last one at which there was something new. */
function createLooker() {
  let [firstMs, heardMs, heard] = [Number.NaN, Number.NaN, 0];
  return {
    look(nowMs: number, readings: number): { readonly passedMs: number; readonly silentMs: number } {
      if (Number.isNaN(firstMs)) [firstMs, heardMs] = [nowMs, nowMs];
      if (readings !== heard) [heard, heardMs] = [readings, nowMs];
      return { passedMs: nowMs - firstMs, silentMs: nowMs - heardMs };
    },
  };
}
