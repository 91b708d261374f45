/**
 * Where a collar is → cat.moved. Two witnesses: receivers that hear the collar, and motion sensors (the last one wins at once).
 * Receivers that a calibration knows are weighed together (room-filter.ts), and the rooms are those of the calibration. Of others
 * the strongest wins, and the places are theirs. Signal strength errs to one side: walls and bodies weaken it, nothing
 * strengthens it, so a nearer reading is believed sooner than a farther one.
 */
import type { Reading } from '../decoder/reading.ts';
import type { Detection } from './detection.ts';
import {
  believeRoom,
  createRoomFilter,
  hearRoom,
  lookRoom,
  type RoomFilter,
  type Rooms,
  type RoomVerdict,
} from './room-filter.ts';

export interface PlaceSettings {
  /** What a calibration has learnt. */
  readonly rooms?: Rooms | undefined;
  /** Another place must be heard so much stronger … */
  readonly marginDb: number;
  /** … for so long. */
  readonly dwellMs: number;
}

/** Smoothing of a signal that rises, and of one that falls. */
const NEARER_TAU_MS = 1_000;
const FARTHER_TAU_MS = 2_000;
/** A place that has not heard the collar for so long does not count any more. */
export const UNHEARD_MS = 15_000;
/** The strength of a receiver that says only that it heard. */
const FAINT_DBM = -100;
/** Receivers and places remembered per collar; beyond it, the one that heard it longest ago is forgotten. */
export const MAX_RECEIVERS = 32;

interface Receiver {
  readonly place: string;
  dbm: number;
  atMs: number;
}

/** Belongs to the detector: a state handed in is given away. */
export interface PlaceState {
  readonly collar: string;
  place: string | null;
  /** By sensor, or by place where a place has only one. */
  readonly receivers: Map<string, Receiver>;
  /** The place that is about to win, and since when it leads. */
  next: string | null;
  nextSinceMs: number;
  /** With a calibration, from the first sighting by one of its receivers. */
  filter: RoomFilter | null;
  /** When one of its receivers heard the collar last. */
  filterAtMs: number;
}

export function createPlace(collar: string, place: string | null = null): PlaceState {
  return { collar, place, receivers: new Map(), next: null, nextSinceMs: 0, filter: null, filterAtMs: Number.NaN };
}

/** A sensor of a room, and not the collar's own motion flag: that comes with a signal strength or with acceleration. */
export function isRoomSensor(reading: Reading): boolean {
  return reading.motion !== undefined && reading.rssiDbm === undefined && reading.axG === undefined;
}

/** Adds what it decides to `out`. */
export function placeReading(state: PlaceState, reading: Reading, settings: PlaceSettings, out: Detection[]): void {
  const { place } = reading;
  if (place === undefined) return;
  if (isRoomSensor(reading)) {
    // "No motion" means only that the sensor's hold time is over.
    if (reading.motion !== true) return;
    if (settings.rooms !== undefined && state.filter !== null) believeRoom(settings.rooms, state.filter, place);
    move(state, place, reading.atMs, out);
    return;
  }
  if (settings.rooms !== undefined) {
    if (hearCalibrated(state, settings.rooms, place, reading, out)) return;
    // A receiver of which the calibration knows nothing speaks while those it knows are silent.
    if (Math.abs(reading.atMs - state.filterAtMs) < UNHEARD_MS) return;
  }
  hear(state, place, reading);
  decide(state, reading.atMs, settings, out);
}

/** Lets a lead that has lasted long enough win, and weighs a look that is over, also when nothing is heard any more. */
export function placeTick(state: PlaceState, atMs: number, settings: PlaceSettings, out: Detection[]): void {
  if (settings.rooms !== undefined && state.filter !== null)
    believe(state, lookRoom(settings.rooms, state.filter, atMs), out);
  if (state.next !== null && atMs - state.nextSinceMs >= settings.dwellMs) {
    move(state, state.next, state.nextSinceMs + settings.dwellMs, out);
  }
}

/** False: the calibration does not know this receiver, or the reading tells no strength. */
function hearCalibrated(state: PlaceState, rooms: Rooms, place: string, reading: Reading, out: Detection[]): boolean {
  const receiver = rooms.receivers.get(reading.sensor ?? place) ?? rooms.receivers.get(place);
  if (receiver === undefined || reading.rssiDbm === undefined) return false;
  if (state.filter === null) {
    state.filter = createRoomFilter(rooms);
    if (state.place !== null) believeRoom(rooms, state.filter, state.place);
  }
  state.next = null;
  state.filterAtMs = reading.atMs;
  believe(state, hearRoom(rooms, state.filter, receiver, reading.rssiDbm, reading.atMs), out);
  return true;
}

function believe(state: PlaceState, verdict: RoomVerdict | null, out: Detection[]): void {
  if (verdict === null) return;
  move(state, verdict.room, verdict.atMs, out, Math.round(verdict.confidence * 1_000) / 1_000);
}

function hear(state: PlaceState, place: string, reading: Reading): void {
  const key = reading.sensor === undefined ? place : `${place}\n${reading.sensor}`;
  const dbm = reading.rssiDbm ?? FAINT_DBM;
  const known = state.receivers.get(key);
  const passedMs = known === undefined ? Number.NaN : reading.atMs - known.atMs;
  if (known === undefined || !(Math.abs(passedMs) < UNHEARD_MS)) {
    state.receivers.delete(key);
    if (state.receivers.size >= MAX_RECEIVERS) forgetOne(state.receivers);
    state.receivers.set(key, { place, dbm, atMs: reading.atMs });
    return;
  }
  const stepMs = Math.max(0, passedMs);
  const tauMs = dbm > known.dbm ? NEARER_TAU_MS : FARTHER_TAU_MS;
  known.dbm += (stepMs / (tauMs + stepMs)) * (dbm - known.dbm);
  known.atMs = reading.atMs;
}

function decide(state: PlaceState, atMs: number, settings: PlaceSettings, out: Detection[]): void {
  let best: Receiver | null = null;
  let here = Number.NEGATIVE_INFINITY;
  for (const receiver of state.receivers.values()) {
    if (Math.abs(atMs - receiver.atMs) >= UNHEARD_MS) continue;
    if (best === null || receiver.dbm > best.dbm) best = receiver;
    if (receiver.place === state.place && receiver.dbm > here) here = receiver.dbm;
  }
  if (best === null || best.place === state.place || best.dbm < here + settings.marginDb) {
    state.next = null;
    return;
  }
  if (state.next !== best.place || atMs < state.nextSinceMs) {
    state.next = best.place;
    state.nextSinceMs = atMs;
  }
  placeTick(state, atMs, settings, out);
}

function move(state: PlaceState, to: string, atMs: number, out: Detection[], confidence?: number): void {
  state.next = null;
  if (to === state.place) return;
  const { collar, place: from } = state;
  out.push({ type: 'cat.moved', collar, atMs, from, to, ...(confidence === undefined ? {} : { confidence }) });
  state.place = to;
}

function forgetOne(receivers: Map<string, Receiver>): void {
  let oldest: string | null = null;
  let oldestMs = Number.POSITIVE_INFINITY;
  for (const [key, { atMs }] of receivers) {
    if (atMs < oldestMs) [oldest, oldestMs] = [key, atMs];
  }
  if (oldest !== null) receivers.delete(oldest);
}
