/**
 * Where a collar is → cat.moved. Two witnesses: receivers that hear the collar, and motion sensors (the last one wins at once).
 * Receivers that a calibration knows are weighed together (room-filter.ts), and the rooms are those of the calibration. Of others
 * each stands for its place (place-filter.ts).
 */

import {
  believePlace,
  createPlaceFilter,
  FAINT_DBM,
  hearPlace,
  type PlaceFilter,
  type PlaceFilterSettings,
  UNHEARD_MS,
  weighPlaces,
} from '../../place/place-filter.ts';
import type { Reading } from '../decoder/reading.ts';
import type { Detection } from './detection.ts';
import { believeRoom, createRoomFilter, hearRoom, lookRoom, type RoomFilter, type Rooms } from './room-filter.ts';

export interface PlaceSettings extends PlaceFilterSettings {
  /** What a calibration has learnt. */
  readonly rooms?: Rooms | undefined;
}

/** Belongs to the detector: a state handed in is given away. */
export interface PlaceState {
  readonly collar: string;
  place: string | null;
  /** Of receivers that no calibration knows, from the first sighting by one of them. */
  nearest: PlaceFilter | null;
  /** With a calibration, from the first sighting by one of its receivers. */
  filter: RoomFilter | null;
  /** When one of its receivers heard the collar last. */
  filterAtMs: number;
}

export function createPlace(collar: string, place: string | null = null): PlaceState {
  return { collar, place, nearest: null, filter: null, filterAtMs: Number.NaN };
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
    if (state.nearest !== null) believePlace(state.nearest, place);
    move(state, place, reading.atMs, out);
    return;
  }
  if (settings.rooms !== undefined) {
    if (hearCalibrated(state, settings.rooms, place, reading, out)) return;
    // A receiver of which the calibration knows nothing speaks while those it knows are silent.
    if (Math.abs(reading.atMs - state.filterAtMs) < UNHEARD_MS) return;
  }
  hear(state, place, reading);
}

/** Weighs a look that is over, also when nothing is heard any more. */
export function placeTick(state: PlaceState, atMs: number, settings: PlaceSettings, out: Detection[]): void {
  if (settings.rooms !== undefined && state.filter !== null) {
    const verdict = lookRoom(settings.rooms, state.filter, atMs);
    if (verdict !== null) move(state, verdict.room, verdict.atMs, out, verdict.confidence);
  }
  if (state.nearest !== null) {
    const verdict = weighPlaces(state.nearest, atMs, settings);
    if (verdict !== null) move(state, verdict.place, verdict.atMs, out, verdict.confidence);
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
  state.nearest = null;
  state.filterAtMs = reading.atMs;
  const verdict = hearRoom(rooms, state.filter, receiver, reading.rssiDbm, reading.atMs);
  if (verdict !== null) move(state, verdict.room, verdict.atMs, out, verdict.confidence);
  return true;
}

function hear(state: PlaceState, place: string, { sensor, rssiDbm = FAINT_DBM, atMs }: Reading): void {
  if (state.nearest === null) {
    state.nearest = createPlaceFilter();
    if (state.place !== null) believePlace(state.nearest, state.place);
  }
  const receiver = sensor === undefined ? place : `${place}\n${sensor}`;
  hearPlace(state.nearest, receiver, { place, dbm: rssiDbm, atMs });
}

function move(state: PlaceState, to: string, atMs: number, out: Detection[], certain?: number): void {
  if (to === state.place) return;
  const { collar, place: from } = state;
  const confidence = certain === undefined ? {} : { confidence: Math.round(certain * 1_000) / 1_000 };
  out.push({ type: 'cat.moved', collar, atMs, from, to, ...confidence });
  state.place = to;
}
