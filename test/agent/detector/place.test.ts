import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Reading } from '../../../src/agent/decoder/reading.ts';
import type { Detection } from '../../../src/agent/detector/detection.ts';
import { learnRooms } from '../../../src/agent/detector/learn-rooms.ts';
import { createPlace, placeReading, placeTick } from '../../../src/agent/detector/place.ts';
import { prepareRooms } from '../../../src/agent/detector/room-filter.ts';
import { MAX_PLACES, MAX_RECEIVERS, UNHEARD_MS } from '../../../src/place/place-filter.ts';
import { type HomeRow, homeRows, ROOMS } from './home.ts';

const settings = { stayMs: 60_000, certainty: 0.9 };
const collar = 'C0FFEE01';

/** Readings of several receivers, each every 500 ms, with fixed strengths. */
function heard(fromMs: number, toMs: number, dbm: Readonly<Record<string, number>>): Reading[] {
  const readings: Reading[] = [];
  for (let atMs = fromMs; atMs < toMs; atMs += 500) {
    for (const [place, rssiDbm] of Object.entries(dbm)) readings.push({ collar, atMs, place, rssiDbm });
  }
  return readings;
}

function detect(readings: readonly Reading[], state = createPlace(collar)): Detection[] {
  const out: Detection[] = [];
  for (const reading of readings) {
    placeTick(state, reading.atMs, settings, out);
    placeReading(state, reading, settings, out);
  }
  return out;
}

const moves = (found: readonly Detection[]) =>
  found.map((d) => (d.type === 'cat.moved' ? `${d.atMs} ${d.from} > ${d.to}` : d.type));

/** Each move without its time. */
const ways = (found: readonly Detection[]) => moves(found).map((move) => move.replace(/^\d+ /, ''));

describe('signal strength', () => {
  const inKitchen = heard(0, 5_000, { kitchen: -60, hall: -75 });

  test('the first place is known when every receiver has had its turn', () => {
    expect(moves(detect(heard(0, 3_000, { kitchen: -60, hall: -75 })))).toEqual(['2000 null > kitchen']);
  });

  test('the receiver that speaks first is not the place', () => {
    const near = heard(400, 3_000, { kitchen: -60 });
    const far = heard(0, 3_000, { hall: -80 });
    const inOrder = [...near, ...far].sort((a, b) => a.atMs - b.atMs);
    expect(moves(detect(inOrder))).toEqual(['2000 null > kitchen']);
  });

  test('a louder place wins within seconds, the sooner the louder, and says how certain it is', () => {
    const wonMs = [-68, -64, -50].map((hall) => {
      const found = detect([...inKitchen, ...heard(5_000, 60_000, { kitchen: -75, hall })]);
      expect(ways(found)).toEqual(['null > kitchen', 'kitchen > hall']);
      for (const move of found) {
        expect(move).toMatchObject({ confidence: expect.any(Number) });
        if (move.type !== 'cat.moved') continue;
        expect(move.confidence).toBeGreaterThanOrEqual(settings.certainty);
        expect(move.confidence).toBeLessThanOrEqual(1);
      }
      return found[1]?.atMs ?? 0;
    });
    expect(wonMs).toEqual(wonMs.toSorted((a, b) => b - a));
    expect(new Set(wonMs).size).toBe(3);
    expect(Math.max(...wonMs)).toBeLessThan(5_000 + 10_000);
  });

  test('two sightings are noise', () => {
    const readings = [
      ...inKitchen,
      ...heard(5_000, 6_000, { kitchen: -60, hall: -45 }),
      ...heard(6_000, 20_000, { kitchen: -60, hall: -75 }),
    ];
    expect(ways(detect(readings))).toEqual(['null > kitchen']);
  });

  test('strengths that swing by a few dB move nobody', () => {
    const swinging = Array.from({ length: 240 }, (_, i) =>
      heard(5_000 + i * 500, 5_500 + i * 500, { kitchen: -60 - 6 * (i % 3), hall: -66 }),
    );
    expect(ways(detect([...inKitchen, ...swinging.flat()]))).toEqual(['null > kitchen']);
  });

  test('a longer stay and more certainty make fewer moves', () => {
    const count = (stayMs: number, certainty: number) => {
      const state = createPlace(collar);
      const out: Detection[] = [];
      for (const { atMs, dbm } of homeRows([{ room: 'kitchen', forMs: 600_000 }], 3)) {
        placeTick(state, atMs, { stayMs, certainty }, out);
        for (const [place, rssiDbm] of dbm)
          placeReading(state, { collar, atMs, place, rssiDbm }, { stayMs, certainty }, out);
      }
      return out.length;
    };
    expect(count(600_000, 0.95)).toBeLessThan(count(2_000, 0.5));
  });

  test('a place that does not hear the collar any more loses to any other', () => {
    const found = detect([...heard(0, 5_000, { kitchen: -50 }), ...heard(5_000, 60_000, { garden: -90 })]);
    expect(ways(found)).toEqual(['null > kitchen', 'kitchen > garden']);
    expect(found[1]?.atMs).toBeGreaterThanOrEqual(UNHEARD_MS);
    expect(found[1]?.atMs).toBeLessThan(2 * UNHEARD_MS);
  });

  test('receivers that speak in turn every few seconds are weighed together', () => {
    const turns = Array.from({ length: 40 }, (_, i): Reading => {
      const place = i % 2 === 0 ? 'kitchen' : 'hall';
      return { collar, atMs: i * 4_000, place, rssiDbm: place === 'kitchen' ? -60 : -80 };
    });
    expect(ways(detect(turns))).toEqual(['null > kitchen']);
  });

  test('one sighting is enough when nothing else is heard, also after a pause', () => {
    const state = createPlace(collar);
    const out: Detection[] = [];
    const atPorch: Reading = { collar, atMs: 0, place: 'porch', rssiDbm: -80 };
    placeReading(state, atPorch, settings, out);
    placeTick(state, 1_999, settings, out);
    expect(out).toEqual([]);
    placeTick(state, 2_500, settings, out);
    expect(moves(out)).toEqual(['2000 null > porch']);
    placeReading(state, { ...atPorch, place: 'garden', atMs: 300_000 }, settings, out);
    placeTick(state, 301_999, settings, out);
    expect(out).toHaveLength(1);
    placeTick(state, 302_000, settings, out);
    expect(moves(out)[1]).toBe('302000 porch > garden');
  });

  test('after a restart the place that is remembered is not told again', () => {
    expect(detect(inKitchen, createPlace(collar, 'kitchen'))).toEqual([]);
    expect(ways(detect(inKitchen, createPlace(collar, 'bath')))).toEqual(['bath > kitchen']);
  });

  test('a clock that starts again moves nobody, and the filter goes on', () => {
    const again = heard(0, 10_000, { kitchen: -60, hall: -75 });
    const found = detect([...heard(100_000, 105_000, { kitchen: -60, hall: -75 }), ...again]);
    expect(ways(found)).toEqual(['null > kitchen']);
    expect(ways(detect([...again, ...heard(0, 10_000, { kitchen: -90, hall: -60 })]))).toEqual([
      'null > kitchen',
      'kitchen > hall',
    ]);
  });

  test('a receiver that tells no strength still tells the place', () => {
    const readings = [0, 1_000, 2_000].map((atMs) => ({ collar, atMs, place: 'porch', axG: 0, ayG: 0, azG: 1 }));
    expect(moves(detect(readings))).toEqual(['2000 null > porch']);
  });

  test('more receivers than the limit: the one that heard it longest ago is forgotten, and its place with it', () => {
    const state = createPlace(collar);
    const many = Array.from({ length: 3 * MAX_RECEIVERS }, (_, i): Reading => {
      return { collar, atMs: i, place: `p${i}`, rssiDbm: -60 };
    });
    detect(many, state);
    const newest = many.slice(-MAX_RECEIVERS).map(({ place }) => place);
    expect([...(state.nearest?.receivers.keys() ?? [])]).toEqual(newest);
    expect([...(state.nearest?.belief.keys() ?? [])]).toEqual(newest);
  });

  test('however many places motion sensors name, a limited number is remembered', () => {
    const state = createPlace(collar);
    detect(inKitchen, state);
    const named = Array.from({ length: 3 * MAX_PLACES }, (_, i): Reading => {
      return { collar, atMs: 6_000 + i, place: `p${i}`, sensor: 'pir', motion: true };
    });
    expect(detect(named, state)).toHaveLength(3 * MAX_PLACES);
    expect(state.nearest?.belief.size).toBe(MAX_PLACES);
  });

  test('no row of strengths, in any order of time, breaks the sum of what is believed', () => {
    const sighting = fc.record({
      atMs: fc.double({ min: 0, max: 100_000, noNaN: true }),
      place: fc.constantFrom('a', 'b', 'c', 'd'),
      rssiDbm: fc.double({ min: -130, max: 20, noNaN: true }),
      motion: fc.constantFrom(undefined, undefined, undefined, true),
    });
    fc.assert(
      fc.property(fc.array(sighting, { maxLength: 60 }), (sightings) => {
        const state = createPlace(collar);
        const readings = sightings.map(({ motion, rssiDbm, ...at }): Reading => {
          return motion === true ? { collar, ...at, sensor: 'pir', motion } : { collar, ...at, rssiDbm };
        });
        const found = detect(readings, state);
        let sum = 0;
        for (const share of state.nearest?.belief.values() ?? []) {
          expect(share).toBeGreaterThanOrEqual(0);
          sum += share;
        }
        expect(sum).toBeLessThanOrEqual(1 + 1e-9);
        for (const [i, move] of found.entries()) {
          if (move.type === 'cat.moved') expect(move.from).toBe(i === 0 ? null : Reflect.get(found[i - 1] ?? {}, 'to'));
        }
      }),
    );
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
  ])('%s', (_name, readings, told) => {
    expect(moves(detect(readings))).toEqual(told);
  });

  test('a sensor wins over signals at once, and signals that stay win it back', () => {
    const pir: Reading = { collar, atMs: 5_000, place: 'hall', sensor: 'pir', motion: true };
    const found = detect([...heard(0, 5_000, { kitchen: -60 }), pir, ...heard(5_000, 20_000, { kitchen: -60 })]);
    expect(moves(found).slice(0, 2)).toEqual(['2000 null > kitchen', '5000 kitchen > hall']);
    expect(ways(found).slice(2)).toEqual(['hall > kitchen']);
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
    const found = detectIn([...stay('kitchen', 30_000), ...stay('bath', 30_000, 30_000)]);
    expect(found.map(({ from, to }) => [from, to])).toEqual([
      [null, 'the kitchen'],
      ['the kitchen', 'the bath'],
    ]);
    for (const { confidence } of found) {
      expect(confidence).toBeGreaterThan(0.5);
      expect(confidence).toBeLessThanOrEqual(1);
    }
  });

  test('after a restart the place that is remembered is not told again', () => {
    expect(detectIn(stay('kitchen', 30_000), createPlace(collar, 'the kitchen'))).toEqual([]);
  });

  test('a motion sensor wins at once, and signals that agree change nothing', () => {
    const pir: Reading = { collar, atMs: 30_000, place: 'the bath', sensor: 'pir', motion: true };
    const found = detectIn([...stay('kitchen', 30_000), pir, ...stay('bath', 30_000, 30_100)]);
    expect(found.map(({ atMs, to }) => [atMs, to]).slice(1)).toEqual([[30_000, 'the bath']]);
  });

  test('a receiver of which it knows nothing speaks only while those it knows are silent', () => {
    const garage = (fromMs: number, toMs: number) =>
      heard(fromMs, toMs, { garage: -40 }).map((reading) => ({ ...reading, sensor: 'garage' }));
    const inOrder = [...stay('kitchen', 30_000), ...garage(0, 30_000)].sort((a, b) => a.atMs - b.atMs);
    const found = detectIn([...inOrder, ...garage(30_000, 60_000)]);
    expect(found.map(({ to }) => to)).toEqual(['the kitchen', 'garage']);
  });
});
