/**
 * Shaking → meow.started and meow.ended. A burst gives exactly one of each; it ends after a quiet gap, at a limit, or with the
 * input. Two ways to start: strong and slow (a hand, a dog) or weak and fast (a cat's 6 to 10 Hz), both turning back and forth.
 * Times are those of the readings and not of the calls, so ticks may come at any pace.
 */
import type { Reading } from '../decoder/reading.ts';
import type { Detection } from './detection.ts';
import { addSample, createSwings, firstSwing, type Swings, swingCount } from './swings.ts';

export interface ShakeSettings {
  /** Above 1: weaker shakes count. All thresholds in g, and those of shake levels, are divided by it. */
  readonly sensitivity: number;
}

/** Strong: so much mean dynamic acceleration, with a first turn back and forth. A wild swing to one side has one turn. */
const STRONG_G = 1.6;
const STRONG_SWINGS = 2;
/** Fast: five turns in 0.7 s are 3.5 Hz and more; gait stays below. */
const FAST_SWINGS = 5;
/** Swings below this are walking, ringing of a tag, noise. */
const LEAST_SWING_G = 0.5;
/** Both ways ask for this for so long: a tap is over by then. */
const AT_LEAST_MS = 100;
/** The shaking goes on while the level is above this share of its strongest, and above the level of walking. */
const HOLD_SHARE = 0.4;
const HOLD_G = 0.25;
/** Levels of the collar's own detector, 0 … 1. */
const LEVEL_ON = 0.5;
const LEVEL_OFF = 0.25;
/** So long without shaking ends the burst. */
export const QUIET_MS = 700;
/** Nothing shakes itself for longer: the burst ends here, and the next needs a quiet gap before it. */
export const MAX_BURST_MS = 30_000;

interface Burst {
  startMs: number;
  /** The last reading that still shook. */
  endMs: number;
  peakG: number;
  readings: number;
  /** Ended at the limit, and not quiet since. */
  spent: boolean;
}

/** Belongs to the detector: a state handed in is given away, use the one that comes back. */
export interface ShakeState {
  readonly collar: string;
  readonly swings: Swings;
  /** Since when the newest samples look like a shake; NaN: they do not. */
  alikeSinceMs: number;
  /** Strongest level of this burst, in g. */
  strongestG: number;
  /** Readings since the burst began, of which `readings` are up to its newest end. */
  seen: number;
  burst: Burst | null;
}

export function createShake(collar: string): ShakeState {
  return { collar, swings: createSwings(), alikeSinceMs: Number.NaN, strongestG: 0, seen: 0, burst: null };
}

/** Adds what it decides to `out`. `place` is where the cat is now. */
export function shakeReading(
  state: ShakeState,
  reading: Reading,
  settings: ShakeSettings,
  place: string | null,
  out: Detection[],
): void {
  const { axG, ayG, azG, shake: level } = reading;
  const moving = axG !== undefined && ayG !== undefined && azG !== undefined;
  if (!moving && level === undefined) return;
  const backMs = state.burst === null ? 0 : state.burst.endMs - reading.atMs;
  if (backMs > QUIET_MS) shakeEnd(state, state.burst?.endMs ?? reading.atMs, place, out);
  shakeTick(state, reading.atMs, place, out);
  let starts: { atMs: number; readings: number; peakG: number; levelG: number } | null = null;
  let holds = false;
  let peakG = 0;
  if (moving) {
    addSample(state.swings, reading.atMs, axG, ayG, azG, LEAST_SWING_G / settings.sensitivity);
    starts = startOfSwings(state, settings);
    peakG = state.swings.strengthG;
    holds = holdsOn(state, settings);
  }
  if (level !== undefined) {
    peakG = Math.max(peakG, moving ? 0 : level);
    holds ||= level * settings.sensitivity >= LEVEL_OFF;
    if (starts === null && level * settings.sensitivity >= LEVEL_ON) {
      starts = { atMs: reading.atMs, readings: 1, peakG: level, levelG: level };
    }
  }
  if (state.burst !== null) goOn(state, reading.atMs, holds, peakG, place, out);
  else if (starts !== null) {
    state.strongestG = state.swings.levelG;
    state.seen = starts.readings;
    const { atMs: startMs, readings, peakG: soFarG } = starts;
    const endMs = Math.max(startMs, reading.atMs);
    state.burst = { startMs, endMs, peakG: Math.max(soFarG, peakG), readings, spent: false };
    out.push({
      type: 'meow.started',
      collar: state.collar,
      atMs: reading.atMs,
      startMs,
      level: rounded(starts.levelG),
    });
  }
}

/** Ends a burst that has been quiet for long enough by `atMs`, also when no reading comes any more. */
export function shakeTick(state: ShakeState, atMs: number, place: string | null, out: Detection[]): void {
  if (state.burst !== null && atMs - state.burst.endMs >= QUIET_MS) {
    close(state, state.burst.endMs + QUIET_MS, place, out);
  }
}

/** The input is over: an open burst ends. */
export function shakeEnd(state: ShakeState, atMs: number, place: string | null, out: Detection[]): void {
  if (state.burst === null) return;
  close(state, Math.max(state.burst.endMs, Math.min(atMs, state.burst.endMs + QUIET_MS)), place, out);
}

function startOfSwings(state: ShakeState, settings: ShakeSettings) {
  const { swings } = state;
  const count = swingCount(swings);
  const strong = count >= STRONG_SWINGS && swings.levelG * settings.sensitivity >= STRONG_G;
  const fast = count >= FAST_SWINGS && swings.levelG * settings.sensitivity >= HOLD_G;
  if (!strong && !fast) {
    state.alikeSinceMs = Number.NaN;
    return null;
  }
  if (!(state.alikeSinceMs <= swings.atMs)) state.alikeSinceMs = swings.atMs;
  if (swings.atMs - state.alikeSinceMs < AT_LEAST_MS) return null;
  const first = firstSwing(swings, count);
  const readings = swings.samples - first.sample + 1;
  return { atMs: first.atMs, readings, peakG: first.strongestG, levelG: swings.levelG };
}

function holdsOn(state: ShakeState, settings: ShakeSettings): boolean {
  const { levelG } = state.swings;
  if (levelG > state.strongestG) state.strongestG = levelG;
  return levelG >= Math.max(HOLD_G / settings.sensitivity, HOLD_SHARE * state.strongestG);
}

function goOn(
  state: ShakeState,
  atMs: number,
  holds: boolean,
  peakG: number,
  place: string | null,
  out: Detection[],
): void {
  const { burst } = state;
  if (burst === null) return;
  state.seen += 1;
  if (holds) {
    burst.endMs = Math.max(burst.endMs, atMs);
    burst.readings = state.seen;
    burst.peakG = Math.max(burst.peakG, peakG);
  }
  if (!burst.spent && burst.endMs - burst.startMs >= MAX_BURST_MS) {
    close(state, burst.endMs, place, out);
    state.burst = { ...burst, spent: true };
  }
}

function close(state: ShakeState, atMs: number, place: string | null, out: Detection[]): void {
  const { burst, collar } = state;
  if (burst === null) return;
  state.burst = null;
  state.alikeSinceMs = Number.NaN;
  if (burst.spent) return;
  const { startMs, endMs, readings } = burst;
  out.push({
    type: 'meow.ended',
    collar,
    atMs,
    startMs,
    endMs,
    durationMs: Math.round(endMs - startMs),
    peakG: rounded(burst.peakG),
    readings,
    place,
  });
}

/** To a thousandth: no sensor of a collar knows more. */
function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
