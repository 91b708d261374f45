/**
 * What the receivers and motion sensors of this agent know of a collar → collar.sighted, for central to weigh with those of other
 * agents. At a low rate: of a receiver the mean over `everyMs`, told when that is over; of a motion sensor the first pulse at once, and
 * of more within `everyMs` the last. Windows begin at the same times for all collars, so that all of them share a flush.
 */
import { MAX_RECEIVERS } from '../../place/place-filter.ts';
import type { Reading } from '../decoder/reading.ts';
import type { Detection } from './detection.ts';
import { isRoomSensor } from './place.ts';

export interface SightingSettings {
  readonly everyMs: number;
}

interface At {
  readonly place: string;
  readonly sensor: string | undefined;
}

/** What a receiver heard in one window. */
interface Heard extends At {
  readonly window: number;
  /** Of the readings that told a strength. */
  sum: number;
  count: number;
}

/** The sensor that spoke last. */
interface Seen extends At {
  toldMs: number;
  /** Its newest pulse that has not been told; NaN: none. */
  pulseMs: number;
}

/** Belongs to the detector: a state handed in is given away. */
export interface SightingState {
  readonly collar: string;
  /** At most MAX_RECEIVERS; one more is told at once. */
  readonly heard: Map<string, Heard>;
  seen: Seen | null;
}

export function createSighting(collar: string): SightingState {
  return { collar, heard: new Map(), seen: null };
}

/** Adds what it decides to `out`. Windows that are over must have been told (sightingTick). */
export function sightingReading(
  state: SightingState,
  reading: Reading,
  { everyMs }: SightingSettings,
  out: Detection[],
): void {
  const { place, sensor, rssiDbm, atMs } = reading;
  if (place === undefined) return;
  if (isRoomSensor(reading)) {
    if (reading.motion === true) see(state, { place, sensor }, atMs, everyMs, out);
    return;
  }
  const key = `${place}\n${sensor ?? ''}`;
  let heard = state.heard.get(key);
  if (heard === undefined) {
    for (const [first, one] of state.heard) {
      if (state.heard.size < MAX_RECEIVERS) break;
      state.heard.delete(first);
      out.push(meanOf(state.collar, one, atMs, everyMs));
    }
    heard = { place, sensor, window: Math.floor(atMs / everyMs), sum: 0, count: 0 };
    state.heard.set(key, heard);
  }
  if (rssiDbm === undefined) return;
  heard.sum += rssiDbm;
  heard.count += 1;
}

/** Time passes: what is over is told. */
export function sightingTick(
  { collar, heard, seen }: SightingState,
  atMs: number,
  { everyMs }: SightingSettings,
  out: Detection[],
): void {
  const window = Math.floor(atMs / everyMs);
  for (const [key, one] of heard) {
    if (one.window === window) continue;
    heard.delete(key);
    out.push(meanOf(collar, one, (one.window + 1) * everyMs, everyMs));
  }
  if (seen !== null && atMs - seen.toldMs >= everyMs) tellPulse(collar, seen, out);
}

/** The input is over: what is open is told. */
export function sightingEnd(state: SightingState, atMs: number, settings: SightingSettings, out: Detection[]): void {
  const { collar, heard, seen } = state;
  sightingTick(state, atMs, settings, out);
  for (const one of heard.values()) out.push(meanOf(collar, one, atMs, settings.everyMs));
  heard.clear();
  if (seen !== null) tellPulse(collar, seen, out);
}

function see(state: SightingState, at: At, atMs: number, everyMs: number, out: Detection[]): void {
  const { collar, seen } = state;
  const isSame = seen !== null && seen.place === at.place && seen.sensor === at.sensor;
  if (isSame && atMs >= seen.toldMs && atMs - seen.toldMs < everyMs) {
    seen.pulseMs = atMs;
    return;
  }
  // Before another one speaks: it may have been the last of all for a while.
  if (seen !== null && seen.pulseMs < atMs) tellPulse(collar, seen, out);
  state.seen = { ...at, toldMs: atMs, pulseMs: Number.NaN };
  out.push({ type: 'collar.sighted', collar, atMs, ...named(at), motion: true });
}

function tellPulse(collar: string, seen: Seen, out: Detection[]): void {
  const { pulseMs } = seen;
  if (Number.isNaN(pulseMs)) return;
  seen.toldMs = pulseMs;
  seen.pulseMs = Number.NaN;
  out.push({ type: 'collar.sighted', collar, atMs: pulseMs, ...named(seen), motion: true });
}

function meanOf(collar: string, one: Heard, atMs: number, forMs: number): Detection {
  const { sum, count } = one;
  const strength = count === 0 ? {} : { rssi: Math.round((10 * sum) / count) / 10 };
  return { type: 'collar.sighted', collar, atMs, ...named(one), ...strength, forMs };
}

function named({ place, sensor }: At): { readonly place: string; readonly sensor?: string } {
  return sensor === undefined || sensor === place ? { place } : { place, sensor };
}
