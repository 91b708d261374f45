/** Places: by signal strength with and without a calibration, of tags that never move, and by motion sensors. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { agentSchema } from '../../src/agent/config.ts';
import type { Reading } from '../../src/agent/decoder/reading.ts';
import { type CalibrationRun, learnRooms } from '../../src/agent/detector/learn-rooms.ts';
import { prepareRooms, type Rooms } from '../../src/agent/detector/room-filter.ts';
import { createWatch, step, type WatchInput, type WatchSettings } from '../../src/agent/detector/watch.ts';
import { type Heard, type Move, marginAndDwell, strongest } from './baselines.ts';
import { type Cell, ratio, share, table } from './table.ts';

const EARLY_MS = 3_000;
const LATE_MS = 10_000;
const TICK_MS = 1_000;
const collar = 'A';
const settings = agentSchema.shape.detect.parse({});

interface Indexed {
  readonly file: string;
  readonly set: string;
  readonly durS?: number;
  /** When it went from where to where. */
  readonly truth?: readonly (readonly [atMs: number, from: string, to: string])[];
  readonly rooms?: readonly (readonly [atMs: number, room: string])[];
}

interface Run extends Indexed {
  /** Of each row what its receivers heard, with their names for places. */
  readonly heard: readonly (readonly Heard[])[];
  readonly roomOf: readonly string[];
}

type PlaceDetector = (run: Run) => readonly Move[];

export function roomSuite(folder: string): string {
  const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as Indexed[];
  const runs = index.map((one) => readRun(folder, one));
  const flat = runs.filter(({ set }) => set === 'flat');
  const still = runs.filter(({ set }) => set === 'static');
  const named = nearestRooms(flat);
  const renamed = (run: Run): readonly (readonly Heard[])[] =>
    run.heard.map((row) => row.map((one) => ({ ...one, place: named.get(one.place) ?? one.place })));
  const others = (run: Run) => calibrated(flat.filter((one) => one !== run));
  const rows: Cell[][] = [
    [
      'the strongest receiver',
      ...scored(flat, (run) => strongest(renamed(run))),
      changes(still, ({ heard }) => strongest(heard)),
    ],
    [
      'a margin of 4 dB for 2 s',
      ...scored(flat, (run) => marginAndDwell(renamed(run))),
      changes(still, ({ heard }) => marginAndDwell(heard)),
    ],
    [
      'without a calibration',
      ...scored(flat, (run) => decide(readingsOf(run.heard, named), settings)),
      changes(still, ({ heard }) => decide(readingsOf(heard), settings)),
    ],
    ['calibrated in the other run', ...scored(flat, (run) => decide(readingsOf(run.heard), others(run))), ''],
    [
      'calibrated in these runs',
      ...inThese(flat),
      changes(still, ({ heard }) => decide(readingsOf(heard), calibrated(still))),
    ],
  ];
  return [
    '## Rooms by signal strength\n',
    'Without a calibration each receiver stands for the room that it hears best. A run that has been in few rooms calibrates few.\n',
    table(
      [
        '',
        'F1 of changes',
        'precision',
        'recall',
        'rows in the right room',
        'false changes an hour of a tag that lies',
      ],
      rows,
    ),
  ].join('\n');
}

function inThese(flat: readonly Run[]): Cell[] {
  const known = calibrated(flat);
  return scored(flat, ({ heard }) => decide(readingsOf(heard), known));
}

/** Each place of a truth is asked half a second later: by then the last sensor has spoken. */
export function motionSuite(folder: string): string {
  const readings: Reading[] = readFileSync(join(folder, 'home_b.ndjson'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { t: number; motion: number; sensor: string; place: string })
    .map(({ t, motion, sensor, place }) => ({ collar, atMs: t, motion: motion === 1, sensor, place }));
  const truth = (JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8')) as [number, string][]).sort(
    ([a], [b]) => a - b,
  );
  const moves = decide(readings, settings);
  const delayed = (waitMs: number) =>
    moves.flatMap((move, i) => {
      const nextMs = moves[i + 1]?.atMs ?? Number.POSITIVE_INFINITY;
      return nextMs - move.atMs < waitMs ? [] : [{ ...move, atMs: move.atMs + waitMs }];
    });
  const accuracy = (found: readonly Move[]) => {
    let [at, right, asked] = [0, 0, 0];
    let now: string | null = null;
    for (const [atMs, room] of truth) {
      for (; (found[at]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs + 500; at += 1) now = found[at]?.to ?? null;
      if (now === null) continue;
      asked += 1;
      right += now === room ? 1 : 0;
    }
    return ratio(right, asked);
  };
  return [
    '## Rooms by motion sensors\n',
    table(
      ['', 'in the right room'],
      [
        ['the last sensor wins', share(accuracy(moves))],
        ['… when no other speaks for 10 s', share(accuracy(delayed(10_000)))],
        ['… for 60 s', share(accuracy(delayed(60_000)))],
      ],
    ),
  ].join('\n');
}

function readRun(folder: string, indexed: Indexed): Run {
  const [head = '', ...lines] = readFileSync(join(folder, indexed.file), 'utf8').trim().split('\n');
  const names = head.split(',');
  const room = names.indexOf('place');
  const rows = lines.map((line) => line.split(','));
  const heard = rows.map((cells) =>
    names.flatMap((name, i): Heard[] => {
      const cell = cells[i] ?? '';
      const receiver = /^rssi_(.+)$/.exec(name)?.[1];
      return receiver === undefined || cell === ''
        ? []
        : [{ atMs: Number(cells[0]), place: receiver, dbm: Number(cell) }];
    }),
  );
  return { ...indexed, heard, roomOf: rows.map((cells) => cells[room] ?? '') };
}

/** The room in which a receiver hears best. */
function nearestRooms(runs: readonly Run[]): ReadonlyMap<string, string> {
  const sums = new Map<string, Map<string, { sum: number; count: number }>>();
  for (const { heard, roomOf } of runs) {
    for (const [i, row] of heard.entries()) {
      for (const { place, dbm } of row) {
        const rooms = sums.get(place) ?? new Map<string, { sum: number; count: number }>();
        sums.set(place, rooms);
        const { sum, count } = rooms.get(roomOf[i] ?? '') ?? { sum: 0, count: 0 };
        rooms.set(roomOf[i] ?? '', { sum: sum + dbm, count: count + 1 });
      }
    }
  }
  const best = (rooms: ReadonlyMap<string, { sum: number; count: number }>) =>
    [...rooms].reduce((a, b) => (b[1].sum / b[1].count > a[1].sum / a[1].count ? b : a))[0];
  return new Map([...sums].map(([receiver, rooms]) => [receiver, best(rooms)]));
}

function calibrated(runs: readonly Run[]): WatchSettings {
  const lessons = runs.map(
    ({ heard, roomOf }): CalibrationRun =>
      heard.flatMap((row, i) =>
        row.map(({ atMs, place, dbm }) => ({ atMs, receiver: place, dbm, room: roomOf[i] ?? '' })),
      ),
  );
  const learnt = learnRooms(lessons);
  if (!learnt.ok) throw new Error(`nothing was learnt of the rooms: ${learnt.reason}`);
  const rooms: Rooms = prepareRooms(learnt.model);
  return { ...settings, place: { ...settings.place, rooms } };
}

function readingsOf(heard: readonly (readonly Heard[])[], named?: ReadonlyMap<string, string>): Reading[] {
  return heard.flat().map(({ atMs, place, dbm }) => {
    return { collar, atMs, place: named?.get(place) ?? place, sensor: place, rssiDbm: dbm };
  });
}

function decide(readings: readonly Reading[], by: WatchSettings): Move[] {
  let state = createWatch();
  const moves: Move[] = [];
  const feed = (input: WatchInput) => {
    const watched = step(state, input, by);
    state = watched.state;
    for (const one of watched.detections) if (one.type === 'cat.moved') moves.push(one);
  };
  let tickMs = Number.NEGATIVE_INFINITY;
  for (const reading of readings) {
    if (reading.atMs >= tickMs) {
      feed({ type: 'tick', atMs: reading.atMs });
      tickMs = reading.atMs + TICK_MS;
    }
    feed({ type: 'reading', reading });
  }
  return moves.sort((a, b) => a.atMs - b.atMs);
}

/** A move hits when it goes to the true room, from 3 s before to 10 s after. */
function scored(runs: readonly Run[], detect: PlaceDetector): Cell[] {
  let [hits, falses, missed, right, rows] = [0, 0, 0, 0, 0];
  for (const run of runs) {
    const { truth = [], rooms = [] } = run;
    const moves = detect(run);
    const hit = truth.map(() => false);
    for (const { atMs, from, to } of moves) {
      if (from === null) continue;
      const at = truth.findIndex(
        ([t, , room], i) => !hit[i] && room === to && atMs >= t - EARLY_MS && atMs <= t + LATE_MS,
      );
      if (at < 0) falses += 1;
      else [hits, hit[at]] = [hits + 1, true];
    }
    missed += hit.filter((is) => !is).length;
    let at = 0;
    let now: string | null = null;
    for (const [atMs, room] of rooms) {
      for (; (moves[at]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs; at += 1) now = moves[at]?.to ?? null;
      if (now === null) continue;
      rows += 1;
      right += now === room ? 1 : 0;
    }
  }
  const f1 = ratio(2 * hits, 2 * hits + falses + missed);
  return [share(f1), share(ratio(hits, hits + falses)), share(ratio(hits, hits + missed)), share(ratio(right, rows))];
}

function changes(runs: readonly Run[], detect: PlaceDetector): string {
  const hours = runs.reduce((sum, { durS = 0 }) => sum + durS / 3_600, 0);
  const found = runs.flatMap(detect).filter(({ from }) => from !== null).length;
  return runs.length === 0 ? '' : ratio(found, hours).toFixed(1);
}
