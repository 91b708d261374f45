/**
 * Shaking → meow.started and meow.ended. A burst gives exactly one of each; it ends after a quiet gap, at a limit, or with the
 * input. Three witnesses: acceleration (shaking.ts), the level of the collar's own detector, and counted edges of a vibration
 * switch. Times are those of the readings and not of the calls, so ticks may come at any pace.
 */
import type { Reading } from '../decoder/reading.ts';
import type { Detection } from './detection.ts';
import { countEdges, createEdges, type Edges } from './edges.ts';
import { ownShake, SHAKE_DEFAULTS, type ShakeSettings } from './shake-settings.ts';
import { beginOf, createShaking, ODDS_OFF, ODDS_ON, type Shaking, senseShaking, shippedForest } from './shaking.ts';

/** Acceleration goes on shaking while its level is above this share of its strongest, and above walking. */
const HOLD_SHARE = 0.4;
export const HOLD_G = 0.25;
/** Nothing shakes itself for longer: the burst ends here, and the next needs a quiet gap before it. */
export const MAX_BURST_MS = 30_000;

interface Burst {
  startMs: number;
  /** The last reading that still shook. */
  endMs: number;
  peakG: number;
  readings: number;
  /** So long without shaking ends it, by the settings that its newest reading was decided by. */
  quietMs: number;
  /** Ended at the limit, and not quiet since. */
  spent: boolean;
}

/** Belongs to the detector: a state handed in is given away, use the one that comes back. */
export interface ShakeState {
  readonly collar: string;
  readonly shaking: Shaking;
  readonly edges: Edges;
  /** Strongest level of this burst, in g. */
  strongestG: number;
  /** Readings since the burst began, of which `readings` are up to its newest end. */
  seen: number;
  burst: Burst | null;
}

export function createShake(collar: string): ShakeState {
  return { collar, shaking: createShaking(), edges: createEdges(), strongestG: 0, seen: 0, burst: null };
}

/** Adds what it decides to `out`. `place` is where the cat is now. */
export function shakeReading(
  state: ShakeState,
  reading: Reading,
  settings: ShakeSettings,
  place: string | null,
  out: Detection[],
): void {
  const { atMs } = reading;
  if (!tellsOfShaking(reading)) return;
  const own = ownShake(settings, state.collar);
  const quietMs = own.quietMs ?? SHAKE_DEFAULTS.quietMs;
  if (state.burst !== null) state.burst.quietMs = quietMs;
  const backMs = state.burst === null ? 0 : state.burst.endMs - atMs;
  if (backMs > quietMs) shakeEnd(state, state.burst?.endMs ?? atMs, place, out);
  shakeTick(state, atMs, place, out);
  const motion = ofAcceleration(state, reading, own);
  const level = ofLevel(reading, own);
  const edges = ofEdges(state, reading, own);
  // Acceleration knows the strength in g; the others have a measure of their own.
  const peakG = (motion ?? level ?? edges)?.peakG ?? 0;
  const start = motion?.start ?? level?.start ?? edges?.start ?? null;
  const holds = motion?.holds === true || level?.holds === true || edges?.holds === true;
  if (state.burst !== null) goOn(state, atMs, holds, peakG, place, out);
  else if (start !== null) begin(state, atMs, start, peakG, quietMs, out);
}

/** The others say nothing of shaking, and do not pass for a reading that is quiet. */
export function tellsOfShaking({ axG, shake, edges }: Reading): boolean {
  return axG !== undefined || shake !== undefined || edges !== undefined;
}

interface Start {
  readonly atMs: number;
  readonly readings: number;
  readonly peakG: number;
  readonly level: number;
}

/** What one witness says of a reading. */
interface Said {
  readonly start: Start | null;
  readonly holds: boolean;
  readonly peakG: number;
}

function ofAcceleration(state: ShakeState, reading: Reading, settings: ShakeSettings): Said | null {
  const { atMs, axG, ayG, azG } = reading;
  if (axG === undefined || ayG === undefined || azG === undefined) return null;
  const { sensitivity: gain, forest = shippedForest } = settings;
  const looked = senseShaking(state.shaking, atMs, axG, ayG, azG, { gain, forest });
  const { window, odds } = state.shaking;
  const isStart = looked && odds >= ODDS_ON && state.burst === null;
  const start = isStart ? { ...beginOf(state.shaking), level: window.levelG } : null;
  return { start, holds: holdsOn(state, settings), peakG: window.strengthG };
}

function ofLevel({ atMs, shake: level }: Reading, settings: ShakeSettings): Said | null {
  if (level === undefined) return null;
  const { sensitivity, levelOn = SHAKE_DEFAULTS.levelOn, levelHold = SHAKE_DEFAULTS.levelHold } = settings;
  const start = level * sensitivity >= levelOn ? { atMs, readings: 1, peakG: level, level } : null;
  return { start, holds: level * sensitivity >= levelHold * levelOn, peakG: level };
}

function ofEdges(state: ShakeState, { atMs, edges }: Reading, settings: ShakeSettings): Said | null {
  if (edges === undefined) return null;
  const { sensitivity, edgesOn = SHAKE_DEFAULTS.edgesOn, edgesMs } = settings;
  const level = countEdges(state.edges, edges, atMs, edgesMs) / edgesOn;
  const start = level * sensitivity >= 1 ? { atMs, readings: 1, peakG: level, level } : null;
  return { start, holds: edges > 0, peakG: level };
}

function begin(state: ShakeState, atMs: number, start: Start, peakG: number, quietMs: number, out: Detection[]): void {
  const { atMs: startMs, readings } = start;
  state.strongestG = state.shaking.window.levelG;
  state.seen = readings;
  const endMs = Math.max(startMs, atMs);
  state.burst = { startMs, endMs, peakG: Math.max(start.peakG, peakG), readings, quietMs, spent: false };
  out.push({ type: 'meow.started', collar: state.collar, atMs, startMs, level: rounded(start.level) });
}

/** Ends a burst that has been quiet for long enough by `atMs`, also when no reading comes any more. */
export function shakeTick(state: ShakeState, atMs: number, place: string | null, out: Detection[]): void {
  const { burst } = state;
  if (burst !== null && atMs - burst.endMs >= burst.quietMs) close(state, burst.endMs + burst.quietMs, place, out);
}

/** The input is over: an open burst ends. */
export function shakeEnd(state: ShakeState, atMs: number, place: string | null, out: Detection[]): void {
  const { burst } = state;
  if (burst === null) return;
  close(state, Math.max(burst.endMs, Math.min(atMs, burst.endMs + burst.quietMs)), place, out);
}

function holdsOn(state: ShakeState, settings: ShakeSettings): boolean {
  const { window, odds } = state.shaking;
  const { levelG } = window;
  if (levelG > state.strongestG) state.strongestG = levelG;
  return odds >= ODDS_OFF && levelG >= Math.max(HOLD_G / settings.sensitivity, HOLD_SHARE * state.strongestG);
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
