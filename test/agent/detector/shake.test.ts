import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Reading } from '../../../src/agent/decoder/reading.ts';
import type { Detection } from '../../../src/agent/detector/detection.ts';
import { createShake, MAX_BURST_MS, shakeEnd, shakeReading, shakeTick } from '../../../src/agent/detector/shake.ts';
import { ownShake, SHAKE_DEFAULTS, type ShakeSettings } from '../../../src/agent/detector/shake-settings.ts';
import { accelerated } from './motion.ts';

const plain: ShakeSettings = { sensitivity: 1 };
const QUIET_MS = SHAKE_DEFAULTS.quietMs;

function detect(readings: readonly Reading[], settings = plain, endAtMs = readings.at(-1)?.atMs ?? 0): Detection[] {
  const state = createShake('C0FFEE01');
  const out: Detection[] = [];
  for (const reading of readings) shakeReading(state, reading, settings, null, out);
  shakeEnd(state, endAtMs, null, out);
  return out;
}

const types = (detections: readonly Detection[]) => detections.map(({ type }) => type);
const ONE_MEOW = ['meow.started', 'meow.ended'];
const levels = (...rows: readonly (readonly [atMs: number, shake: number])[]): Reading[] =>
  rows.map(([atMs, shake]) => ({ collar: 'C0FFEE01', atMs, shake }));

describe('acceleration', () => {
  test.each([4, 5, 6, 7, 8, 9, 10])('a shake at %i Hz is one meow, where and as long as it was', (hz) => {
    const [started, ended] = detect(accelerated([{ fromMs: 3_000, forMs: 1_200, hz, amplitudeG: 2 }], 8_000));
    if (started?.type !== 'meow.started' || ended?.type !== 'meow.ended') throw new Error('no meow');
    expect(Math.abs(started.startMs - 3_000)).toBeLessThan(200);
    expect(started.atMs - 3_000).toBeLessThan(1_000);
    expect(Math.abs(ended.endMs - 4_200)).toBeLessThan(250);
    expect(ended).toMatchObject({ startMs: started.startMs, durationMs: ended.endMs - started.startMs, place: null });
    expect(ended.atMs).toBe(ended.endMs + QUIET_MS);
    expect(ended.peakG).toBeGreaterThan(1.5);
    expect(ended.peakG).toBeLessThan(2.5);
    expect(Math.abs(ended.readings - ended.durationMs / 20)).toBeLessThanOrEqual(2);
  });

  test.each([25, 32, 50, 100, 200])('a shake at 5 Hz is found at %i samples a second', (rate) => {
    expect(types(detect(accelerated([{ fromMs: 2_000, forMs: 1_500, hz: 5, amplitudeG: 2 }], 6_000, rate)))).toEqual(
      ONE_MEOW,
    );
  });

  test.each([
    ['a walk', { hz: 1, amplitudeG: 0.5 }],
    ['a trot', { hz: 2, amplitudeG: 1 }],
    ['a run', { hz: 3, amplitudeG: 1.4 }],
    ['rolling over', { hz: 0.5, amplitudeG: 1 }],
    ['a slow and weak swing', { hz: 2.5, amplitudeG: 0.6 }],
    ['a circle', { hz: 2, amplitudeG: 1.5, roundness: 1 }],
    ['purring', { hz: 25, amplitudeG: 0.1 }],
  ])('%s is no meow', (_name, motion) => {
    expect(detect(accelerated([{ fromMs: 1_000, forMs: 20_000, ...motion }], 25_000, 100))).toEqual([]);
  });

  test.each([50, 200])('a tap of one sample is no meow, at %i samples a second', (rate) => {
    const readings = accelerated([], 5_000, rate).map((reading) =>
      reading.atMs === 2_000 ? { ...reading, axG: 8, ayG: -8, azG: 8 } : reading,
    );
    expect(detect(readings)).toEqual([]);
  });

  test('another posture after a gap, or another resting value, is no meow', () => {
    const before = accelerated([], 3_000);
    const after = accelerated([], 3_000, 50, 'C0FFEE01', -1.4).map((r) => ({ ...r, atMs: r.atMs + 60_000 }));
    expect(detect([...before, ...after])).toEqual([]);
  });

  test('a clipped shake is a meow', () => {
    const clip = (g: number | undefined) => Math.max(-2, Math.min(2, g ?? 0));
    const readings = accelerated([{ fromMs: 2_000, forMs: 1_000, hz: 7, amplitudeG: 6 }], 5_000).map((r) => ({
      ...r,
      axG: clip(r.axG),
      ayG: clip(r.ayG),
      azG: clip(r.azG),
    }));
    expect(types(detect(readings))).toEqual(ONE_MEOW);
  });

  test('a third of the rows lost does not split or hide a shake', () => {
    const readings = accelerated([{ fromMs: 2_000, forMs: 1_500, hz: 6, amplitudeG: 2.5 }], 6_000, 100);
    expect(types(detect(readings.filter((_, i) => (i * 7) % 3 !== 0)))).toEqual(ONE_MEOW);
  });

  test('two shakes 1.5 s apart are two meows, 0.4 s apart one', () => {
    const pair = (pauseMs: number) => {
      const shake = { forMs: 1_000, hz: 6, amplitudeG: 2 };
      return accelerated(
        [
          { fromMs: 2_000, ...shake },
          { fromMs: 3_000 + pauseMs, ...shake },
        ],
        8_000,
      );
    };
    expect(types(detect(pair(1_500)))).toEqual([...ONE_MEOW, ...ONE_MEOW]);
    expect(types(detect(pair(400)))).toEqual(ONE_MEOW);
  });

  test('sensitivity decides what a weak shake is', () => {
    const weak = accelerated([{ fromMs: 2_000, forMs: 1_500, hz: 6, amplitudeG: 0.4 }], 6_000);
    expect(detect(weak)).toEqual([]);
    expect(types(detect(weak, { sensitivity: 2 }))).toEqual(ONE_MEOW);
    const strong = accelerated([{ fromMs: 2_000, forMs: 1_500, hz: 6, amplitudeG: 1 }], 6_000);
    expect(types(detect(strong))).toEqual(ONE_MEOW);
    expect(detect(strong, { sensitivity: 0.4 })).toEqual([]);
  });

  test('a burst that is open at the end is ended there', () => {
    const found = detect(accelerated([{ fromMs: 1_000, forMs: 9_000, hz: 6, amplitudeG: 2 }], 2_500));
    expect(types(found)).toEqual(ONE_MEOW);
    expect(found[1]).toMatchObject({ atMs: 2_500, endMs: 2_500 });
  });

  test('shaking without end is one meow up to the limit, and the next one needs quiet before it', () => {
    const long = { fromMs: 1_000, forMs: 80_000, hz: 6, amplitudeG: 2 };
    const again = { fromMs: 85_000, forMs: 1_000, hz: 6, amplitudeG: 2 };
    const found = detect(accelerated([long, again], 90_000));
    expect(types(found)).toEqual([...ONE_MEOW, ...ONE_MEOW]);
    expect(found[1]).toMatchObject({ durationMs: MAX_BURST_MS });
    expect(found[2]?.atMs).toBeGreaterThan(85_000);
  });

  test('a clock that starts again ends the burst and detects on', () => {
    const readings = accelerated([{ fromMs: 1_000, forMs: 2_000, hz: 6, amplitudeG: 2 }], 2_500);
    expect(types(detect([...readings, ...readings]))).toEqual([...ONE_MEOW, ...ONE_MEOW]);
  });
});

describe('levels of the collar’s own detector', () => {
  test('a level from 0.5 starts, one below 0.25 is quiet, and the peak is the level', () => {
    const found = detect(levels([0, 0], [100, 0.4], [200, 0.6], [300, 0.9], [400, 0.3], [500, 0.2], [1_100, 0]));
    expect(found).toEqual([
      { type: 'meow.started', collar: 'C0FFEE01', atMs: 200, startMs: 200, level: 0.6 },
      {
        type: 'meow.ended',
        collar: 'C0FFEE01',
        atMs: 400 + QUIET_MS,
        startMs: 200,
        endMs: 400,
        durationMs: 200,
        peakG: 0.9,
        readings: 3,
        place: null,
      },
    ]);
  });

  test('a chattering level is one meow', () => {
    expect(types(detect(levels([0, 1], [50, 0], [100, 1], [150, 0], [200, 1], [900, 0])))).toEqual(ONE_MEOW);
  });

  test('a level that is never taken back is ended by time', () => {
    const state = createShake('C0FFEE01');
    const out: Detection[] = [];
    for (const reading of levels([0, 1])) shakeReading(state, reading, plain, 'kitchen', out);
    shakeTick(state, QUIET_MS - 1, 'kitchen', out);
    expect(types(out)).toEqual(['meow.started']);
    shakeTick(state, QUIET_MS, 'kitchen', out);
    expect(out[1]).toMatchObject({ type: 'meow.ended', atMs: QUIET_MS, endMs: 0, place: 'kitchen' });
  });
});

describe('edges of a vibration switch, and counted movements', () => {
  const edges = (...rows: readonly (readonly [atMs: number, edges: number])[]): Reading[] =>
    rows.map(([atMs, count]) => ({ collar: 'C0FFEE01', atMs, edges: count }));

  test('three within half a second are a meow, and each edge goes on with it', () => {
    const found = detect(edges([0, 1], [150, 1], [300, 1], [800, 1], [1_400, 1], [3_000, 0]));
    expect(types(found)).toEqual(ONE_MEOW);
    expect(found[0]).toMatchObject({ atMs: 300, startMs: 300, level: 1 });
    expect(found[1]).toMatchObject({ startMs: 300, endMs: 1_400, atMs: 1_400 + QUIET_MS });
  });

  test.each<[string, Reading[]]>([
    ['single edges now and then', edges([0, 1], [600, 1], [1_200, 1], [1_800, 1])],
    ['the chatter of one', edges([0, 1], [2, 1], [5, 1], [9, 1])],
    ['a counter that stands still', edges([0, 0], [100, 0], [200, 0])],
  ])('%s is no meow', (_name, readings) => {
    expect(detect(readings)).toEqual([]);
  });

  test('a counter that tells of several movements at once is a meow', () => {
    expect(types(detect(edges([0, 0], [2_500, 4], [5_000, 0])))).toEqual(ONE_MEOW);
  });

  test('sensitivity decides how many are enough', () => {
    expect(types(detect(edges([0, 2]), { sensitivity: 2 }))).toEqual(ONE_MEOW);
    expect(detect(edges([0, 3]), { sensitivity: 0.5 })).toEqual([]);
  });
});

test('the looks do not depend on the pace of ticks', () => {
  const readings = accelerated([{ fromMs: 3_000, forMs: 1_200, hz: 6, amplitudeG: 2 }], 8_000);
  const state = createShake('C0FFEE01');
  const out: Detection[] = [];
  for (const reading of readings) {
    shakeTick(state, reading.atMs - 7, null, out);
    shakeTick(state, reading.atMs, null, out);
    shakeReading(state, reading, plain, null, out);
  }
  shakeEnd(state, 8_000, null, out);
  expect(out).toEqual(detect(readings));
});

test('whatever comes, a start is followed by its end, in order and within the limit', () => {
  const g = fc.double({ min: -16, max: 16, noNaN: true });
  const sample = fc.record({
    collar: fc.constant('C0FFEE01'),
    atMs: fc.integer({ min: -3_000, max: 3_000 }).map((ms) => (ms < -2_900 ? -60_000 : Math.max(ms / 20, -20))),
    axG: g,
    ayG: g,
    azG: g,
    shake: fc.constantFrom(0, 0.3, 1),
    edges: fc.constantFrom(0, 0, 1, 4),
  });
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 400 }), (samples) => {
      let atMs = 0;
      const readings = samples.map((s) => {
        atMs += s.atMs;
        return { ...s, atMs };
      });
      const found = detect(readings);
      expect(types(found)).toEqual(found.map((_, i) => ONE_MEOW[i % 2]));
      expect(found.length % 2).toBe(0);
      for (const event of found) {
        if (event.type !== 'meow.ended') continue;
        expect(event.endMs).toBeGreaterThanOrEqual(event.startMs);
        expect(event.readings).toBeGreaterThan(0);
        expect(Number.isFinite(event.peakG)).toBe(true);
      }
    }),
  );
});

describe('settings', () => {
  const slow = [0, 0, 1, 0.9, 0, 0, 0.8, 1, 0, 0].map(
    (shake, i): Reading => ({ collar: 'C0FFEE01', atMs: 2_000 * i, shake }),
  );

  test('a collar that sends every two seconds is a meow a reading, and with a longer quiet time one a shake', () => {
    const starts = (settings: ShakeSettings) =>
      detect(slow, settings).flatMap((one) => (one.type === 'meow.started' ? [one.startMs] : []));
    expect(starts(plain)).toEqual([4_000, 6_000, 12_000, 14_000]);
    expect(starts({ ...plain, quietMs: 3_000 })).toEqual([4_000, 12_000]);
  });

  test('a tick ends a burst after the quiet time of its readings', () => {
    const state = createShake('C0FFEE01');
    const out: Detection[] = [];
    for (const reading of levels([0, 1])) shakeReading(state, reading, { ...plain, quietMs: 3_000 }, null, out);
    shakeTick(state, 2_999, null, out);
    expect(types(out)).toEqual(['meow.started']);
    shakeTick(state, 9_000, null, out);
    expect(out[1]).toMatchObject({ type: 'meow.ended', atMs: 3_000, endMs: 0 });
  });

  test('a shake begins at a level of choice, and goes on above a share of it', () => {
    const rows = levels([0, 0.3], [600, 0.12], [1_200, 0.12], [2_500, 0]);
    const [started, ended] = detect(rows, { ...plain, levelOn: 0.3, levelHold: 0.4 });
    expect(started).toMatchObject({ type: 'meow.started', atMs: 0 });
    expect(ended).toMatchObject({ type: 'meow.ended', endMs: 1_200 });
    expect(detect(rows, { ...plain, levelOn: 0.3, levelHold: 0.5 })[1]).toMatchObject({ endMs: 0 });
    expect(detect(rows, plain)).toEqual([]);
  });

  test('so many edges within so long are a shake', () => {
    const walk = [0, 400, 800, 1_200].map((atMs): Reading => ({ collar: 'C0FFEE01', atMs, edges: 1 }));
    expect(detect(walk, plain)).toEqual([]);
    expect(types(detect(walk, { ...plain, edgesMs: 1_000 }))).toEqual(ONE_MEOW);
    expect(detect(walk, { ...plain, edgesMs: 1_000, edgesOn: 4 })).toEqual([]);
    expect(types(detect(walk, { ...plain, edgesMs: 2_000, edgesOn: 4 }))).toEqual(ONE_MEOW);
  });

  test('at the least sensitivity edges that come one by one are enough, if there are many', () => {
    const chatter = Array.from({ length: 20 }, (_, i): Reading => ({ collar: 'C0FFEE01', atMs: 20 * i, edges: 1 }));
    expect(types(detect(chatter, { sensitivity: 0.2 }))).toEqual(ONE_MEOW);
  });

  test('a collar may have settings of its own, the others keep theirs', () => {
    const own = { ...plain, collars: { C0FFEE01: { quietMs: 3_000 } } };
    expect(types(detect(slow, own))).toEqual([...ONE_MEOW, ...ONE_MEOW]);
    expect(detect(slow, { ...plain, collars: { OTHER: { quietMs: 3_000 } } })).toEqual(detect(slow, plain));
    expect(ownShake({ sensitivity: 2, collars: { A: { edgesOn: 4 } } }, 'A')).toMatchObject({
      sensitivity: 2,
      edgesOn: 4,
    });
    expect(ownShake({ sensitivity: 2, collars: {} }, 'toString')).toEqual({ sensitivity: 2, collars: {} });
  });
});
