import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Reading } from '../../../src/agent/decoder/reading.ts';
import type { Detection } from '../../../src/agent/detector/detection.ts';
import {
  createWatch,
  rememberCollar,
  step,
  type WatchInput,
  type WatchSettings,
} from '../../../src/agent/detector/watch.ts';
import { MAX_RECEIVERS } from '../../../src/place/place-filter.ts';
import { accelerated } from './motion.ts';

const collar = 'C0FFEE01';
const everyMs = 10_000;
const settings: WatchSettings = {
  shake: { sensitivity: 1 },
  place: { stayMs: 60_000, certainty: 0.9 },
  silence: { afterMs: 600_000 },
  battery: { lowPercent: 15 },
  fusion: { everyMs },
};

/** With a tick each second, as the agent's. */
function run(readings: readonly Reading[], endMs: number, state = createWatch()): Detection[] {
  const inputs: WatchInput[] = readings.map((reading) => ({ type: 'reading', reading }));
  for (let atMs = 0; atMs <= endMs; atMs += 1_000) inputs.push({ type: 'tick', atMs });
  const timeOf = (input: WatchInput) => (input.type === 'reading' ? input.reading.atMs : input.atMs);
  inputs.sort((a, b) => timeOf(a) - timeOf(b));
  return inputs.flatMap((input) => [...step(state, input, settings).detections]);
}

const heard = (atMs: number, rssiDbm: number, place = 'kitchen'): Reading => ({ collar, atMs, place, rssiDbm });
const seen = (atMs: number, place: string, sensor = place): Reading => ({ collar, atMs, place, sensor, motion: true });
const told = (found: readonly Detection[]) =>
  found.map((d) => (d.type === 'collar.sighted' ? `${d.atMs} ${d.place} ${d.rssi ?? d.motion ?? 'heard'}` : d.type));

describe('what receivers hear, where central fuses', () => {
  test('is told once in every window, by its mean, and decides no place here', () => {
    const readings = Array.from({ length: 100 }, (_, i) => heard(300 * i, -60 - (i % 3)));
    expect(run(readings, 31_000)).toEqual(
      [10_000, 20_000, 30_000].map((atMs) => {
        return {
          type: 'collar.sighted',
          collar,
          atMs,
          place: 'kitchen',
          rssi: expect.closeTo(-61, 0.1),
          forMs: everyMs,
        };
      }),
    );
  });

  test('is told of each receiver, by its name where the place has others', () => {
    const readings = [heard(100, -60), { ...heard(200, -70), sensor: 'north' }, heard(300, -80, 'hall')];
    expect(run(readings, 10_000)).toMatchObject([
      { place: 'kitchen', rssi: -60 },
      { place: 'kitchen', sensor: 'north', rssi: -70 },
      { place: 'hall', rssi: -80 },
    ]);
  });

  test('is nothing where nothing is heard', () => {
    expect(told(run([heard(5_000, -60), heard(45_000, -70)], 120_000))).toEqual([
      '10000 kitchen -60',
      '50000 kitchen -70',
    ]);
  });

  test('is told without a strength where there is none', () => {
    const readings = [0, 1_000].map((atMs) => ({ collar, atMs, place: 'porch', axG: 0, ayG: 0, azG: 1 }));
    expect(told(run(readings, 10_000))).toEqual(['10000 porch heard']);
  });

  test('is told at the end, too', () => {
    const state = createWatch();
    run([heard(100, -60), seen(200, 'hall'), seen(4_000, 'hall')], 4_000, state);
    const end = step(state, { type: 'end', atMs: 4_500 }, settings).detections;
    expect(told(end)).toEqual(['4500 kitchen -60', '4000 hall true']);
    expect(step(state, { type: 'end', atMs: 4_500 }, settings).detections).toEqual([]);
  });

  test('of more receivers than the limit: the first is told at once, nothing is kept without end', () => {
    const many = Array.from({ length: 3 * MAX_RECEIVERS }, (_, i) => heard(i, -60, `p${i}`));
    const state = createWatch();
    const early = many.flatMap((reading) => [...step(state, { type: 'reading', reading }, settings).detections]);
    expect(early).toHaveLength(2 * MAX_RECEIVERS);
    expect(state.collars.get(collar)?.sighting.heard.size).toBe(MAX_RECEIVERS);
  });

  test('a meow has no place: central knows it, and what was remembered may be long past', () => {
    const known = { collar, place: 'attic', silent: false, batteryLow: false, atMs: 0 };
    const state = rememberCollar(createWatch(), known);
    const shaken = accelerated([{ fromMs: 3_000, forMs: 800, hz: 5, amplitudeG: 2 }], 6_000).map((reading) => {
      return { ...reading, collar };
    });
    const found = run(shaken, 9_000, state);
    expect(found.map(({ type }) => type)).toEqual(['meow.started', 'meow.ended']);
    expect(found[1]).toMatchObject({ place: null });
  });
});

describe('what motion sensors see, where central fuses', () => {
  test('the first pulse is told at once, of more the last, at most one in every so long', () => {
    const pulses = [1_000, 3_000, 7_000, 12_500, 13_000, 40_000].map((atMs) => seen(atMs, 'hall'));
    expect(told(run(pulses, 60_000))).toEqual([
      '1000 hall true',
      '7000 hall true',
      '13000 hall true',
      '40000 hall true',
    ]);
  });

  test('another sensor is told at once, and what the one before saw last is told before it', () => {
    const pulses = [seen(1_000, 'hall'), seen(2_000, 'hall'), seen(2_500, 'kitchen'), seen(3_000, 'hall')];
    expect(told(run(pulses, 3_000))).toEqual([
      '1000 hall true',
      '2000 hall true',
      '2500 kitchen true',
      '3000 hall true',
    ]);
  });

  test('"no motion" says nothing', () => {
    expect(run([{ ...seen(1_000, 'hall'), motion: false }], 20_000)).toEqual([]);
  });

  test('the last place that is told is where the last pulse was, whatever the pulses and the pace of ticks', () => {
    const pulse = fc.record({ gapMs: fc.integer({ min: 1, max: 20_000 }), place: fc.constantFrom('a', 'b', 'c') });
    fc.assert(
      fc.property(fc.array(pulse, { minLength: 1, maxLength: 40 }), (pulses) => {
        let atMs = 0;
        const readings = pulses.map(({ gapMs, place }) => {
          atMs += gapMs;
          return seen(atMs, place);
        });
        const found = run(readings, atMs + 2 * everyMs).flatMap((d) => (d.type === 'collar.sighted' ? [d] : []));
        const last = readings.at(-1);
        expect(found.at(-1)).toMatchObject({ place: last?.place, atMs: last?.atMs });
        for (const [i, { atMs: now, place }] of found.entries()) {
          const before = found[i - 1];
          expect(now).toBeGreaterThan(before?.atMs ?? 0);
          if (before?.place === place) continue;
          expect(readings.some((reading) => reading.atMs === now && reading.place === place)).toBe(true);
        }
      }),
    );
  });
});
