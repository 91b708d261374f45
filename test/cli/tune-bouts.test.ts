import { expect, test } from 'vitest';
import type { Reading } from '../../src/agent/decoder/reading.ts';
import { createMotions } from '../../src/cli/tune-bouts.ts';
import { COLLAR, QUICK, SLOW, shakenAcceleration, shakenReadings, shakesIn } from './shaken.ts';

function motionsOf(readings: readonly Reading[]) {
  const motions = createMotions();
  for (const reading of readings) motions.take(reading);
  return motions;
}

const level = (passedMs: number | undefined) => ({ shake: passedMs === undefined ? 0.03 : 0.8 });

test.each<[string, Reading[], string, number]>([
  ['acceleration', shakenAcceleration(QUICK), 'acceleration', 20],
  ['levels', shakenReadings(QUICK, 100, level), 'level', 100],
  ['edges', shakenReadings(QUICK, 100, (passedMs) => ({ edges: passedMs === undefined ? 0 : 2 })), 'edges', 100],
  // A RuuviTag tells acceleration as seldom as its count.
  [
    'counted movements beside slow acceleration',
    shakenReadings(SLOW, 2_000, (passedMs) => ({ axG: 0, ayG: 0, azG: 1, edges: passedMs === undefined ? 0 : 6 })),
    'edges',
    2_000,
  ],
])('ten shakes are seen in %s', (_name, readings, measure, everyMs) => {
  const motions = motionsOf(readings);
  const [shaken, spareMs] = everyMs === 2_000 ? [SLOW, 2_000] : [QUICK, 200];
  expect([motions.measure, motions.everyMs]).toEqual([measure, expect.closeTo(everyMs, 5)]);
  const bouts = motions.bouts(5_000);
  expect(bouts).toHaveLength(10);
  for (const [i, { fromMs, toMs }] of shakesIn(shaken).entries()) {
    expect(Math.abs((bouts[i]?.fromMs ?? 0) - fromMs)).toBeLessThanOrEqual(spareMs);
    expect(Math.abs((bouts[i]?.toMs ?? 0) - toMs)).toBeLessThanOrEqual(spareMs);
  }
});

test('what is usual at rest is no shake, nor is putting it down', () => {
  const noisy = shakenReadings(QUICK, 100, (passedMs) => ({ shake: passedMs === undefined ? 0.4 : 0.9 }));
  expect(motionsOf(noisy).bouts(5_000)).toHaveLength(10);
  const putDown = noisy.map((one) => (one.atMs < 1_500 ? { ...one, shake: 1 } : one));
  expect(motionsOf(putDown).bouts(5_000)).toHaveLength(10);
  expect(motionsOf(noisy.map((one) => ({ ...one, shake: 0.4 }))).bouts(5_000, 10)).toEqual([]);
});

test('who makes shorter pauses is understood, since ten were asked for', () => {
  const hasty = { ...QUICK, pauseMs: 750 };
  const motions = motionsOf(shakenReadings(hasty, 100, level));
  expect(motions.bouts(5_000)).toHaveLength(1);
  expect(motions.bouts(5_000, 10)).toHaveLength(10);
});

test('the readings of a slow collar are never taken for a shake each, whatever was wanted', () => {
  const fewer = { ...SLOW, times: 5 };
  const motions = motionsOf(shakenReadings(fewer, 2_000, level));
  expect(motions.bouts(10_000, 10)).toHaveLength(5);
});

test('readings that say nothing of shakes do not make a slow collar a fast one', () => {
  const heard = (atMs: number): Reading => ({ collar: COLLAR, atMs, rssiDbm: -60, place: 'hall' });
  const readings = shakenReadings(SLOW, 2_000, level).flatMap((one) => [
    one,
    heard(one.atMs + 1),
    heard(one.atMs + 90),
  ]);
  expect(motionsOf(readings).everyMs).toBe(2_000);
  expect(motionsOf([heard(0), heard(100)])).toMatchObject({ measure: null, everyMs: null, kinds: [] });
});
