/**
 * All detectors over all collars: readings and time in, detections out. What is decided about a collar depends on its own readings
 * and on time, never on other collars, up to MAX_COLLARS of them.
 */
import type { Reading } from '../decoder/reading.ts';
import { type BatterySettings, type BatteryState, batteryReading } from './battery.ts';
import type { Detection } from './detection.ts';
import { createPlace, isRoomSensor, type PlaceSettings, type PlaceState, placeReading, placeTick } from './place.ts';
import { createShake, type ShakeState, shakeEnd, shakeReading, shakeTick } from './shake.ts';
import type { ShakeSettings } from './shake-settings.ts';
import {
  createSighting,
  type SightingSettings,
  type SightingState,
  sightingEnd,
  sightingReading,
  sightingTick,
} from './sighting.ts';
import { type SilenceSettings, type SilenceState, silenceReading, silenceTick } from './silence.ts';

export interface WatchSettings {
  readonly shake: ShakeSettings;
  readonly place: PlaceSettings;
  readonly silence: SilenceSettings;
  readonly battery: BatterySettings;
  /** Where a cat is, central finds out: it is told what is heard of it. Absent: it is decided here. */
  readonly fusion?: SightingSettings | undefined;
}

/** Collars watched at once; beyond it, the one heard longest ago is forgotten. */
export const MAX_COLLARS = 1024;

export type WatchInput =
  | { readonly type: 'reading'; readonly reading: Reading }
  /** Time passes, in the clock of the readings. About once a second. */
  | { readonly type: 'tick'; readonly atMs: number }
  /** No more readings: what is open is ended. */
  | { readonly type: 'end'; readonly atMs: number };

export interface Watched {
  readonly state: WatchState;
  readonly detections: readonly Detection[];
}

interface Collar {
  readonly shake: ShakeState;
  readonly place: PlaceState;
  readonly sighting: SightingState;
  readonly silence: SilenceState;
  readonly battery: BatteryState;
  /** The newest reading, also of a room's sensor. */
  atMs: number;
}

/** Belongs to the watch and is changed in place: a state handed in is given away, use the one that comes back. */
export interface WatchState {
  readonly collars: Map<string, Collar>;
  /** Empty between steps: what is decided goes into it. */
  decided: Detection[];
}

/** What is known of a collar from before a restart. */
export interface RememberedCollar {
  readonly collar: string;
  readonly place: string | null;
  readonly silent: boolean;
  readonly batteryLow: boolean;
  /** When it was last heard, in the clock of the readings to come. */
  readonly atMs: number;
  /** Only sensors of rooms have told of it: it cannot go silent. */
  readonly unheard?: boolean;
}

const nothing: readonly Detection[] = [];

export function createWatch(): WatchState {
  return { collars: new Map(), decided: [] };
}

/** After a restart: what was told before is not told again. */
export function rememberCollar(state: WatchState, known: RememberedCollar): WatchState {
  const collar = createCollar(known.collar, known.place, known.atMs);
  collar.silence.lastSeenMs = known.unheard === true ? null : known.atMs;
  collar.silence.silent = known.silent;
  collar.battery.low = known.batteryLow;
  // An evicted collar has not begun to shake yet, so there is nothing to tell.
  if (!state.collars.has(known.collar)) makeRoom(state.collars, []);
  state.collars.set(known.collar, collar);
  return state;
}

/** What `rememberCollar` takes, of all collars, those heard longest ago first. A burst that is open, and what a calibration weighs, is not in it. */
export function rememberedCollars(state: WatchState): RememberedCollar[] {
  return [...state.collars]
    .map(([name, { place, silence, battery, atMs }]) => ({
      collar: name,
      place: place.place,
      silent: silence.silent,
      batteryLow: battery.low,
      atMs: silence.lastSeenMs ?? atMs,
      ...(silence.lastSeenMs === null ? { unheard: true } : {}),
    }))
    .sort((a, b) => a.atMs - b.atMs);
}

export function step(state: WatchState, input: WatchInput, settings: WatchSettings): Watched {
  // Given away only where there is something in it: most readings decide nothing, and are many.
  const out = state.decided;
  switch (input.type) {
    case 'reading':
      takeReading(state.collars, input.reading, settings, out);
      break;
    case 'tick':
      for (const collar of state.collars.values()) {
        tickPlace(collar, input.atMs, settings, out);
        shakeTick(collar.shake, input.atMs, placeOf(collar, settings), out);
        silenceTick(collar.silence, input.atMs, settings.silence, out);
      }
      break;
    case 'end':
      for (const collar of state.collars.values()) {
        shakeEnd(collar.shake, input.atMs, placeOf(collar, settings), out);
        if (settings.fusion !== undefined) sightingEnd(collar.sighting, input.atMs, settings.fusion, out);
      }
      break;
  }
  if (out.length === 0) return { state, detections: nothing };
  state.decided = [];
  return { state, detections: out };
}

function takeReading(collars: Map<string, Collar>, reading: Reading, settings: WatchSettings, out: Detection[]): void {
  let collar = collars.get(reading.collar);
  if (collar === undefined) {
    makeRoom(collars, out);
    collar = createCollar(reading.collar, null, reading.atMs);
    collars.set(reading.collar, collar);
  }
  collar.atMs = reading.atMs;
  // A room's sensor says nothing for hours when nobody moves: that is not a collar gone silent.
  if (!isRoomSensor(reading)) silenceReading(collar.silence, reading.atMs, out);
  batteryReading(collar.battery, reading, settings.battery, out);
  // A lead in place that ended before this reading, and a burst that did, are decided before it.
  tickPlace(collar, reading.atMs, settings, out);
  shakeTick(collar.shake, reading.atMs, placeOf(collar, settings), out);
  if (settings.fusion === undefined) placeReading(collar.place, reading, settings.place, out);
  else sightingReading(collar.sighting, reading, settings.fusion, out);
  shakeReading(collar.shake, reading, settings.shake, placeOf(collar, settings), out);
}

/** Null where central knows it: what is remembered from before may be long past. */
function placeOf({ place }: Collar, { fusion }: WatchSettings): string | null {
  return fusion === undefined ? place.place : null;
}

function tickPlace({ place, sighting }: Collar, atMs: number, settings: WatchSettings, out: Detection[]): void {
  if (settings.fusion === undefined) placeTick(place, atMs, settings.place, out);
  else sightingTick(sighting, atMs, settings.fusion, out);
}

function createCollar(collar: string, place: string | null, atMs: number): Collar {
  return {
    shake: createShake(collar),
    place: createPlace(collar, place),
    sighting: createSighting(collar),
    silence: { collar, lastSeenMs: null, silent: false },
    battery: { low: false },
    atMs,
  };
}

/** Forgets the collar heard longest ago when the watch is full. Its burst is ended first: no start stays without its end. */
function makeRoom(collars: Map<string, Collar>, out: Detection[]): void {
  if (collars.size < MAX_COLLARS) return;
  let oldest: string | null = null;
  let oldestMs = Number.POSITIVE_INFINITY;
  for (const [name, { atMs }] of collars) {
    if (atMs < oldestMs) [oldest, oldestMs] = [name, atMs];
  }
  const evicted = oldest === null ? undefined : collars.get(oldest);
  if (oldest === null || evicted === undefined) return;
  shakeEnd(evicted.shake, evicted.atMs, evicted.place.place, out);
  collars.delete(oldest);
}
