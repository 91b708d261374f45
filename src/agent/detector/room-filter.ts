/**
 * In which calibrated room a collar is: a forward filter over the spots of a RoomModel, look by look. A collar that stays gains
 * certainty, one that walks can only come by spots that lie on the way: a room is not jumped into because of one weak signal.
 * Looks follow the clock of the readings, so the pace of calls changes nothing.
 */
import { LOOK_MS, type RoomModel } from './room-model.ts';

/** Looks next to each other see the same shadow of the same wall: each counts for so much of an independent one. */
const LOOK_WEIGHT = 0.3;
/** Degrees of freedom of Student's t: a signal that a body hides is no proof. */
const TAIL = 6;
/** A room wins with this much certainty. */
const CERTAIN = 0.65;
/** Nothing heard for so many looks: more of them change nothing. */
const MOST_LOOKS = 120;
/** What a motion sensor, or the memory of a restart, says of a room. */
const BELIEVED = 0.95;

/** A model as the filter uses it. Shared by all collars and never changed. */
export interface Rooms {
  readonly names: readonly string[];
  readonly receivers: ReadonlyMap<string, number>;
  readonly spotCount: number;
  readonly roomOf: Int32Array;
  /** Spot by receiver. */
  readonly dbm: Float64Array;
  /** 1 / (TAIL × variance) by receiver. */
  readonly precision: Float64Array;
  /** From spot by to spot. */
  readonly moves: Float64Array;
}

/** Belongs to the detector: a state handed in is given away. */
export interface RoomFilter {
  /** The look that is being gathered; NaN before the first. */
  look: number;
  /** The look that `belief` is of; NaN before the first. */
  believedLook: number;
  readonly belief: Float64Array;
  readonly next: Float64Array;
  /** Of this look: what each receiver has heard so far. */
  readonly sum: Float64Array;
  readonly heard: Int32Array;
}

export interface RoomVerdict {
  readonly room: string;
  /** 0 … 1. */
  readonly confidence: number;
  readonly atMs: number;
}

export function prepareRooms(model: RoomModel): Rooms {
  const { receivers, rooms, spots, spreadDb, moves } = model;
  return {
    names: rooms,
    receivers: new Map(receivers.map((name, i) => [name, i])),
    spotCount: spots.length,
    roomOf: Int32Array.from(spots, ({ room }) => room),
    dbm: Float64Array.from(spots.flatMap(({ dbm }) => dbm)),
    precision: Float64Array.from(spreadDb, (db) => 1 / (TAIL * db * db)),
    moves: Float64Array.from(moves.flatMap((row) => normal(row))),
  };
}

export function createRoomFilter(rooms: Rooms): RoomFilter {
  const { spotCount, receivers } = rooms;
  return {
    look: Number.NaN,
    believedLook: Number.NaN,
    belief: new Float64Array(spotCount).fill(1 / Math.max(1, spotCount)),
    next: new Float64Array(spotCount),
    sum: new Float64Array(receivers.size),
    heard: new Int32Array(receivers.size),
  };
}

/** One receiver heard the collar. A verdict is of the look before, when this reading begins another. */
export function hearRoom(rooms: Rooms, filter: RoomFilter, receiver: number, dbm: number, atMs: number) {
  const verdict = lookRoom(rooms, filter, atMs);
  const look = Math.floor(atMs / LOOK_MS);
  // A clock that has started again; readings that are a little late belong to the look that is open.
  if (!(look > filter.look - MOST_LOOKS)) forgetLook(filter, look);
  if (!(look <= filter.look)) filter.look = look;
  filter.sum[receiver] = (filter.sum[receiver] ?? 0) + dbm;
  filter.heard[receiver] = (filter.heard[receiver] ?? 0) + 1;
  return verdict;
}

/** Time passes: a look that is over by `atMs` is weighed. Null: there is none, or no room is certain. */
export function lookRoom(rooms: Rooms, filter: RoomFilter, atMs: number): RoomVerdict | null {
  const { look } = filter;
  const endMs = (look + 1) * LOOK_MS;
  if (!(atMs >= endMs)) return null;
  const passed = filter.believedLook < look ? Math.min(look - filter.believedLook, MOST_LOOKS) : 1;
  for (let i = 0; i < passed; i += 1) walk(rooms, filter);
  weigh(rooms, filter);
  filter.believedLook = look;
  forgetLook(filter, Number.NaN);
  return verdictOf(rooms, filter, endMs);
}

/** Another witness says that the collar is in this room. A room that the model does not know says nothing. */
export function believeRoom(rooms: Rooms, filter: RoomFilter, name: string): void {
  const room = rooms.names.indexOf(name);
  if (room < 0) return;
  let here = 0;
  for (let spot = 0; spot < rooms.spotCount; spot += 1) {
    // Each spot of it is possible, however sure the filter was of another room.
    if (rooms.roomOf[spot] === room) here += filter.belief[spot] = (filter.belief[spot] ?? 0) + 1e-3;
  }
  if (here <= 0) return;
  let elsewhere = 0;
  for (let spot = 0; spot < rooms.spotCount; spot += 1) {
    if (rooms.roomOf[spot] !== room) elsewhere += filter.belief[spot] ?? 0;
  }
  const wanted = Math.max(BELIEVED, here / (here + elsewhere));
  for (let spot = 0; spot < rooms.spotCount; spot += 1) {
    const isHere = rooms.roomOf[spot] === room;
    const scale = isHere ? wanted / here : elsewhere > 0 ? (1 - wanted) / elsewhere : 0;
    filter.belief[spot] = (filter.belief[spot] ?? 0) * scale;
  }
}

function forgetLook(filter: RoomFilter, look: number): void {
  filter.look = look;
  filter.sum.fill(0);
  filter.heard.fill(0);
}

/** One look passes: the collar may have walked. */
function walk(rooms: Rooms, filter: RoomFilter): void {
  const { spotCount, moves } = rooms;
  const { belief, next } = filter;
  next.fill(0);
  for (let from = 0; from < spotCount; from += 1) {
    const share = belief[from] ?? 0;
    if (share < 1e-12) continue;
    const row = from * spotCount;
    for (let to = 0; to < spotCount; to += 1) next[to] = (next[to] ?? 0) + share * (moves[row + to] ?? 0);
  }
  belief.set(next);
}

/** What was heard in this look makes some spots likelier. A receiver that heard nothing says nothing: rows get lost. */
function weigh(rooms: Rooms, filter: RoomFilter): void {
  const { spotCount, dbm, precision } = rooms;
  const { belief, next: logs, sum, heard } = filter;
  const receivers = heard.length;
  let best = Number.NEGATIVE_INFINITY;
  for (let spot = 0; spot < spotCount; spot += 1) {
    let log = 0;
    for (let r = 0; r < receivers; r += 1) {
      const count = heard[r] ?? 0;
      if (count === 0) continue;
      const off = (sum[r] ?? 0) / count - (dbm[spot * receivers + r] ?? 0);
      log -= Math.log1p(off * off * (precision[r] ?? 0));
    }
    logs[spot] = ((LOOK_WEIGHT * (TAIL + 1)) / 2) * log;
    best = Math.max(best, logs[spot] ?? 0);
  }
  let total = 0;
  for (let spot = 0; spot < spotCount; spot += 1) {
    belief[spot] = (belief[spot] ?? 0) * Math.exp((logs[spot] ?? 0) - best) + 1e-15;
    total += belief[spot] ?? 0;
  }
  for (let spot = 0; spot < spotCount; spot += 1) belief[spot] = (belief[spot] ?? 0) / total;
}

function verdictOf(rooms: Rooms, filter: RoomFilter, atMs: number): RoomVerdict | null {
  const { names, roomOf, spotCount } = rooms;
  for (let room = 0; room < names.length; room += 1) {
    let confidence = 0;
    for (let spot = 0; spot < spotCount; spot += 1) {
      if (roomOf[spot] === room) confidence += filter.belief[spot] ?? 0;
    }
    const name = names[room];
    if (confidence >= CERTAIN && name !== undefined) return { room: name, confidence, atMs };
  }
  return null;
}

function normal(row: readonly number[]): number[] {
  const total = row.reduce((sum, share) => sum + share, 0);
  return row.map((share) => (total > 0 ? share / total : 1 / row.length));
}
