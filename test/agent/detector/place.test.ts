import { describe, expect, test } from 'vitest';
import type { Reading } from '../../../src/agent/decoder/reading.ts';
import type { Detection } from '../../../src/agent/detector/detection.ts';
import { learnRooms } from '../../../src/agent/detector/learn-rooms.ts';
import { createPlace, MAX_RECEIVERS, placeReading, placeTick, UNHEARD_MS } from '../../../src/agent/detector/place.ts';
import { prepareRooms } from '../../../src/agent/detector/room-filter.ts';
import { type HomeRow, homeRows, ROOMS } from './home.ts';

const settings = { marginDb: 4, dwellMs: 2_000 };
const collar = 'C0FFEE01';

/** Readings of several receivers, each every 500 ms, with fixed strengths. */
function heard(fromMs: number, toMs: number, dbm: Readonly<Record<string, number>>): Reading[] {
  const readings: Reading[] = [];
  for (let atMs = fromMs; atMs < toMs; atMs += 500) {
    for (const [place, rssiDbm] of Object.entries(dbm)) readings.push({ collar, atMs, place, rssiDbm });
  }
  return readings;
}

function detect(readings: readonly Reading[], state = createPlace(collar)): string[] {
  const out: Detection[] = [];
  for (const reading of readings) placeReading(state, reading, settings, out);
  return out.map((d) => (d.type === 'cat.moved' ? `${d.atMs} ${d.from} > ${d.to}` : d.type));
}

describe('signal strength', () => {
  test('the first place is known after the dwell time', () => {
    expect(detect(heard(0, 3_000, { kitchen: -60, hall: -75 }))).toEqual(['2000 null > kitchen']);
  });

  test('a place that is stronger by the margin for the dwell time wins', () => {
    const readings = [
      ...heard(0, 5_000, { kitchen: -60, hall: -75 }),
      ...heard(5_000, 20_000, { kitchen: -75, hall: -60 }),
    ];
    const moves = detect(readings);
    expect(moves).toHaveLength(2);
    expect(moves[1]).toMatch(/ kitchen > hall$/);
  });

  test('stronger by less than the margin changes nothing', () => {
    const readings = [
      ...heard(0, 5_000, { kitchen: -60, hall: -75 }),
      ...heard(5_000, 60_000, { kitchen: -60, hall: -57 }),
    ];
    expect(detect(readings)).toEqual(['2000 null > kitchen']);
  });

  test('two sightings are noise', () => {
    const readings = [
      ...heard(0, 5_000, { kitchen: -60, hall: -75 }),
      ...heard(5_000, 6_000, { kitchen: -60, hall: -45 }),
      ...heard(6_000, 20_000, { kitchen: -60, hall: -75 }),
    ];
    expect(detect(readings)).toEqual(['2000 null > kitchen']);
  });

  test('a place that does not hear the collar any more loses to any other', () => {
    const readings = [...heard(0, 5_000, { kitchen: -50 }), ...heard(5_000, 40_000, { garden: -90 })];
    const moves = detect(readings);
    expect(moves).toHaveLength(2);
    expect(Number(moves[1]?.split(' ')[0])).toBeGreaterThanOrEqual(UNHEARD_MS);
  });

  test('one sighting is enough when nothing else is heard', () => {
    const state = createPlace(collar);
    const out: Detection[] = [];
    placeReading(state, { collar, atMs: 0, place: 'porch', rssiDbm: -80 }, settings, out);
    placeTick(state, 1_999, settings, out);
    expect(out).toEqual([]);
    placeTick(state, 2_500, settings, out);
    expect(out).toEqual([{ type: 'cat.moved', collar, atMs: 2_000, from: null, to: 'porch' }]);
  });

  test('a receiver that tells no strength still tells the place', () => {
    const readings = [0, 1_000, 2_000].map((atMs) => ({ collar, atMs, place: 'porch', axG: 0, ayG: 0, azG: 1 }));
    expect(detect(readings)).toEqual(['2000 null > porch']);
  });

  test('more receivers than the limit: the one that heard it longest ago is forgotten', () => {
    const state = createPlace(collar);
    const many = Array.from({ length: 3 * MAX_RECEIVERS }, (_, i) => ({
      collar,
      atMs: i,
      place: `p${i}`,
      rssiDbm: -60,
    }));
    detect(many, state);
    expect([...state.receivers.keys()]).toEqual(many.slice(-MAX_RECEIVERS).map(({ place }) => place));
  });
});

describe('motion sensors', () => {
  const seen = (atMs: number, place: string, motion = true, sensor = place): Reading => ({
    collar,
    atMs,
    place,
    sensor,
    motion,
  });

  test.each([
    ['the last sensor wins at once', [seen(0, 'hall'), seen(10, 'kitchen')], ['0 null > hall', '10 hall > kitchen']],
    ['retriggers of a sensor are one move', [seen(0, 'hall'), seen(5, 'hall'), seen(9, 'hall')], ['0 null > hall']],
    [
      'two sensors of a place are one place',
      [seen(0, 'hall', true, 'a'), seen(5, 'hall', true, 'b')],
      ['0 null > hall'],
    ],
    ['"no motion" says nothing', [seen(0, 'hall'), seen(10, 'kitchen', false)], ['0 null > hall']],
  ])('%s', (_name, readings, moves) => {
    expect(detect(readings)).toEqual(moves);
  });

  test('the motion flag of a collar is no sensor of a room', () => {
    expect(detect([{ collar, atMs: 0, place: 'hall', motion: true, rssiDbm: -60 }])).toEqual([]);
    expect(detect([{ collar, atMs: 0, place: 'hall', motion: true, axG: 0, ayG: 0, azG: 1 }])).toEqual([]);
  });
});

describe('with a calibration', () => {
  const sightings = (rows: readonly HomeRow[]): Reading[] =>
    rows.flatMap(({ atMs, dbm }) =>
      [...dbm].map(([place, rssiDbm]) => ({ collar, atMs, place, sensor: place, rssiDbm })),
    );
  const learnt = learnRooms(
    ROOMS.map((room, i) =>
      homeRows([{ room, forMs: 60_000 }], i).flatMap(({ atMs, dbm }) =>
        [...dbm].map(([receiver, one]) => ({ atMs, receiver, dbm: one, room: `the ${room}` })),
      ),
    ),
  );
  const rooms = learnt.ok ? prepareRooms(learnt.model) : undefined;
  const detectIn = (readings: readonly Reading[], state = createPlace(collar)) => {
    const out: Detection[] = [];
    for (const reading of readings) {
      placeTick(state, reading.atMs, { ...settings, rooms }, out);
      placeReading(state, reading, { ...settings, rooms }, out);
    }
    return out.flatMap((d) => (d.type === 'cat.moved' ? [d] : []));
  };
  const stay = (room: string, forMs: number, fromMs = 0) => sightings(homeRows([{ room, forMs }], 20, fromMs));

  test('the places are the rooms that were learnt, and each move says how certain it is', () => {
    const moves = detectIn([...stay('kitchen', 30_000), ...stay('bath', 30_000, 30_000)]);
    expect(moves.map(({ from, to }) => [from, to])).toEqual([
      [null, 'the kitchen'],
      ['the kitchen', 'the bath'],
    ]);
    for (const { confidence } of moves) {
      expect(confidence).toBeGreaterThan(0.5);
      expect(confidence).toBeLessThanOrEqual(1);
    }
  });

  test('after a restart the place that is remembered is not told again', () => {
    expect(detectIn(stay('kitchen', 30_000), createPlace(collar, 'the kitchen'))).toEqual([]);
  });

  test('a motion sensor wins at once, and signals that agree change nothing', () => {
    const pir: Reading = { collar, atMs: 30_000, place: 'the bath', sensor: 'pir', motion: true };
    const moves = detectIn([...stay('kitchen', 30_000), pir, ...stay('bath', 30_000, 30_100)]);
    expect(moves.map(({ atMs, to }) => [atMs, to]).slice(1)).toEqual([[30_000, 'the bath']]);
  });

  test('a receiver of which it knows nothing speaks only while those it knows are silent', () => {
    const garage = (fromMs: number, toMs: number) =>
      heard(fromMs, toMs, { garage: -40 }).map((reading) => ({ ...reading, sensor: 'garage' }));
    const inOrder = [...stay('kitchen', 30_000), ...garage(0, 30_000)].sort((a, b) => a.atMs - b.atMs);
    const moves = detectIn([...inOrder, ...garage(30_000, 60_000)]);
    expect(moves.map(({ to }) => to)).toEqual(['the kitchen', 'garage']);
  });
});
