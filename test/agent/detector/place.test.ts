import { describe, expect, test } from 'vitest';
import type { Reading } from '../../../src/agent/decoder/reading.ts';
import type { Detection } from '../../../src/agent/detector/detection.ts';
import { createPlace, MAX_RECEIVERS, placeReading, placeTick, UNHEARD_MS } from '../../../src/agent/detector/place.ts';

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
