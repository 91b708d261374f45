/**
 * Learns a RoomModel from recordings in which somebody has said where the collar was. A minute in each room is enough; a
 * recording that walks from room to room teaches the ways too. The same recordings always give the same model.
 */
import { LOOK_MS, MAX_MODEL_RECEIVERS, MAX_ROOMS, MAX_SPOTS, type RoomModel } from './room-model.ts';

/** One collar at one receiver at one time, with the true room. */
export interface LabelledSighting {
  readonly atMs: number;
  readonly receiver: string;
  readonly dbm: number;
  readonly room: string;
}

/** One collar from beginning to end, in the order of time. */
export type CalibrationRun = readonly LabelledSighting[];

export type Learnt =
  | { readonly ok: true; readonly model: RoomModel; readonly looks: ReadonlyMap<string, number> }
  | { readonly ok: false; readonly reason: string };

/** One spot for so many looks in a room (10 s at two looks a second), up to a limit. */
const LOOKS_PER_SPOT = 20;
const SPOTS_PER_ROOM = 8;
/** Strength is smoothed over this time to tell spots apart: fading is faster than a cat. */
const SPOT_TAU_MS = 3_000;
/** A receiver that has not heard the collar for so long is told apart from one that hears it faintly. */
const UNHEARD_MS = 15_000;
/** A spot's strength is drawn towards its centre by so many looks. */
const CENTRE_LOOKS = 3;
/** No receiver is better than that. */
const LEAST_SPREAD_DB = 2;
/** Ways that nobody walked while calibrating: so many looks of each spot go to its like, fewer of them to other rooms. */
const UNSEEN_LOOKS = 0.5;
const UNSEEN_ROOM = 0.02;
const UNSEEN_ANYWHERE = 0.001;
/** Two looks further apart tell nothing of the way between. */
const WAY_MS = 2_000;
const ROUNDS = 12;

interface Look {
  readonly look: number;
  readonly run: number;
  readonly room: number;
  /** By receiver; NaN: not heard. */
  readonly dbm: Float64Array;
  readonly smooth: Float64Array;
}

export function learnRooms(runs: readonly CalibrationRun[]): Learnt {
  const sightings = runs.flat();
  const receivers = [...new Set(sightings.map(({ receiver }) => receiver))].sort();
  const rooms = [...new Set(sightings.map(({ room }) => room))].sort();
  if (rooms.length === 0) return { ok: false, reason: 'no row tells a receiver, its strength and a place' };
  if (rooms.length > MAX_ROOMS) return { ok: false, reason: `${rooms.length} rooms: at most ${MAX_ROOMS}` };
  if (receivers.length > MAX_MODEL_RECEIVERS)
    return { ok: false, reason: `${receivers.length} receivers: at most ${MAX_MODEL_RECEIVERS}` };
  const looks = runs.flatMap((run, i) => looksOf(run, i, receivers, rooms));
  const faint = receivers.map((_, r) => Math.min(...looks.map(({ smooth }) => smooth[r] ?? NaN).filter(isHeard)));
  const { spotOf, roomOf, centres } = findSpots(looks, rooms.length, faint);
  const spots = roomOf.map((room, spot) => ({
    room,
    dbm: receivers.map((_, r) => strengthAt(looks, spotOf, spot, r, centres[spot]?.[r] ?? 0)),
  }));
  const spreadDb = receivers.map((_, r) => spreadAt(looks, spotOf, spots, r));
  const moves = learnMoves(looks, spotOf, spots, spreadDb);
  const model: RoomModel = { version: 1, receivers, rooms, spots, spreadDb, moves };
  return {
    ok: true,
    model,
    looks: new Map(rooms.map((name, room) => [name, looks.filter((l) => l.room === room).length])),
  };
}

const isHeard = (dbm: number) => !Number.isNaN(dbm);

/** The mean of each receiver over each look, and what it comes to when smoothed over time. */
function looksOf(run: CalibrationRun, runNo: number, receivers: readonly string[], rooms: readonly string[]): Look[] {
  const looks: Look[] = [];
  const smooth = new Float64Array(receivers.length).fill(Number.NaN);
  const heardMs = new Float64Array(receivers.length);
  for (let from = 0; from < run.length; ) {
    const look = Math.floor((run[from]?.atMs ?? 0) / LOOK_MS);
    let to = from;
    while (to < run.length && Math.floor((run[to]?.atMs ?? 0) / LOOK_MS) === look) to += 1;
    const these = run.slice(from, to);
    const dbm = Float64Array.from(receivers, (name) => {
      const heard = these.filter(({ receiver }) => receiver === name);
      return heard.reduce((sum, { dbm: one }) => sum + one, 0) / heard.length;
    });
    for (const [r, now] of dbm.entries()) {
      const passedMs = look * LOOK_MS - (heardMs[r] ?? 0);
      const before = smooth[r] ?? Number.NaN;
      if (isHeard(now)) {
        const isNew = !isHeard(before) || passedMs > UNHEARD_MS || passedMs < 0;
        smooth[r] = isNew ? now : before + (passedMs / (SPOT_TAU_MS + passedMs)) * (now - before);
        heardMs[r] = look * LOOK_MS;
      } else if (passedMs > UNHEARD_MS) smooth[r] = Number.NaN;
    }
    looks.push({ look, run: runNo, room: rooms.indexOf(these.at(-1)?.room ?? ''), dbm, smooth: smooth.slice() });
    from = to;
  }
  return looks;
}

/** Spots of all rooms, and the spot of each look. */
function findSpots(looks: readonly Look[], rooms: number, faint: readonly number[]) {
  const most = Math.max(1, Math.min(SPOTS_PER_ROOM, Math.floor(MAX_SPOTS / rooms)));
  const spotOf = new Int32Array(looks.length);
  const roomOf: number[] = [];
  const centres: Float64Array[] = [];
  for (let room = 0; room < rooms; room += 1) {
    const own = [...looks.keys()].filter((i) => looks[i]?.room === room);
    // A receiver that never hears this room is told by its weakest.
    const mean = faint.map((weakest, r) => meanOf(own.map((i) => looks[i]?.smooth[r] ?? NaN).filter(isHeard), weakest));
    const points = own.map((i) =>
      Float64Array.from(looks[i]?.smooth ?? [], (dbm, r) => (isHeard(dbm) ? dbm : (mean[r] ?? 0))),
    );
    const count = Math.max(1, Math.min(most, Math.round(own.length / LOOKS_PER_SPOT)));
    const found = cluster(points, count);
    const first = roomOf.length;
    for (const [i, spot] of found.nearest.entries()) spotOf[own[i] ?? 0] = first + spot;
    for (const centre of found.centres) {
      roomOf.push(room);
      centres.push(centre);
    }
  }
  return { spotOf, roomOf, centres };
}

/** k-means that begins at the middle and then at what is farthest: no chance in it. */
function cluster(points: readonly Float64Array[], count: number) {
  const width = points[0]?.length ?? 0;
  const centreOf = (of: readonly Float64Array[]) =>
    Float64Array.from({ length: width }, (_, r) =>
      meanOf(
        of.map((p) => p[r] ?? 0),
        0,
      ),
    );
  const middle = centreOf(points);
  const distances = points.map((p) => distance(p, middle));
  const begin = points[distances.indexOf(Math.min(...distances))] ?? middle;
  let centres = [begin];
  while (centres.length < Math.min(count, points.length)) {
    const far = points.map((p) => Math.min(...centres.map((c) => distance(p, c))));
    const farthest = Math.max(...far);
    const point = points[far.indexOf(farthest)];
    if (farthest <= 0 || point === undefined) break;
    centres = [...centres, point];
  }
  const nearestOf = () => points.map((p) => nearest(p, centres));
  let of = nearestOf();
  for (let round = 0; round < ROUNDS; round += 1) {
    centres = centres.map((centre, c) => {
      const own = points.filter((_, i) => of[i] === c);
      return own.length === 0 ? centre : centreOf(own);
    });
    of = nearestOf();
  }
  return { centres, nearest: of };
}

function nearest(point: Float64Array, centres: readonly Float64Array[]): number {
  let best = 0;
  let bestAt = Number.POSITIVE_INFINITY;
  for (const [c, centre] of centres.entries()) {
    const at = distance(point, centre);
    if (at < bestAt) [best, bestAt] = [c, at];
  }
  return best;
}

function distance(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
  return sum;
}

function strengthAt(looks: readonly Look[], spotOf: Int32Array, spot: number, r: number, centre: number): number {
  let sum = CENTRE_LOOKS * centre;
  let count = CENTRE_LOOKS;
  for (const [i, { dbm }] of looks.entries()) {
    const now = dbm[r] ?? Number.NaN;
    if (spotOf[i] !== spot || !isHeard(now)) continue;
    sum += now;
    count += 1;
  }
  return rounded(sum / count, 10);
}

function spreadAt(looks: readonly Look[], spotOf: Int32Array, spots: RoomModel['spots'], r: number): number {
  const off = looks.map(({ dbm }, i) => (dbm[r] ?? Number.NaN) - (spots[spotOf[i] ?? 0]?.dbm[r] ?? 0)).filter(isHeard);
  const variance = meanOf(
    off.map((db) => db * db),
    0,
  );
  return rounded(Math.max(LEAST_SPREAD_DB, Math.sqrt(variance)), 100);
}

/** Ways that were walked, and some that were not but might be. */
function learnMoves(
  looks: readonly Look[],
  spotOf: Int32Array,
  spots: RoomModel['spots'],
  spreadDb: readonly number[],
): number[][] {
  const moves = spots.map((from) => {
    const like = spots.map((to) => {
      const apart = spreadDb.reduce((sum, db, r) => sum + (((from.dbm[r] ?? 0) - (to.dbm[r] ?? 0)) / db) ** 2, 0);
      return from.room === to.room ? Math.exp(-apart / 8) : UNSEEN_ROOM * Math.exp(-apart / 8) + UNSEEN_ANYWHERE;
    });
    const total = like.reduce((sum, one) => sum + one, 0);
    return like.map((one) => (UNSEEN_LOOKS * one) / total);
  });
  const add = (from: number, to: number, count: number) => {
    const row = moves[from];
    if (row !== undefined) row[to] = (row[to] ?? 0) + count;
  };
  for (let i = 1; i < looks.length; i += 1) {
    const [before, now] = [looks[i - 1], looks[i]];
    const [from, to] = [spotOf[i - 1] ?? 0, spotOf[i] ?? 0];
    if (before === undefined || now === undefined || before.run !== now.run) continue;
    const steps = now.look - before.look;
    if (steps < 1 || steps * LOOK_MS > WAY_MS) continue;
    add(from, from, steps - 1);
    add(from, to, 1);
  }
  return moves.map((row) => {
    const total = row.reduce((sum, one) => sum + one, 0);
    return row.map((one) => rounded(one / total, 1e6));
  });
}

function meanOf(values: readonly number[], fallback: number): number {
  return values.length === 0 ? fallback : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function rounded(value: number, parts: number): number {
  return Math.round(value * parts) / parts;
}
