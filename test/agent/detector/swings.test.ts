import { expect, test } from 'vitest';
import {
  addSample,
  createSwings,
  firstSwing,
  GAP_MS,
  MAX_SWINGS,
  type Swings,
  swingCount,
} from '../../../src/agent/detector/swings.ts';
import { accelerated, type Motion } from './motion.ts';

function moved(motion: Omit<Motion, 'fromMs' | 'forMs'>, forMs = 3_000): Swings {
  const swings = createSwings();
  for (const { atMs, axG, ayG, azG } of accelerated([{ fromMs: 0, forMs, ...motion }], forMs, 100)) {
    addSample(swings, atMs, axG ?? 0, ayG ?? 0, azG ?? 0, 0.5);
  }
  return swings;
}

test.each([
  [2, 3],
  [3, 4],
  [4, 6],
  [5, 7],
])('at %i Hz there are about %i swings in the window', (hz, swings) => {
  expect(Math.abs(swingCount(moved({ hz, amplitudeG: 2 })) - swings)).toBeLessThanOrEqual(1);
});

test('more swings than are remembered count as the limit, and the first remembered one is told', () => {
  const swings = moved({ hz: 10, amplitudeG: 2 });
  expect(swings.turned).toBeGreaterThan(2 * MAX_SWINGS);
  expect(swingCount(swings)).toBe(MAX_SWINGS);
  const first = firstSwing(swings, MAX_SWINGS);
  expect(Math.abs(first.atMs - (3_000 - (MAX_SWINGS + 1) * 50))).toBeLessThanOrEqual(60);
  expect(Math.abs(first.strongestG - 2)).toBeLessThan(0.3);
});

test('a circle has no swings', () => {
  expect(swingCount(moved({ hz: 4, amplitudeG: 2, roundness: 1 }))).toBe(0);
});

test('swings before a gap do not count after it', () => {
  const swings = moved({ hz: 6, amplitudeG: 2 });
  expect(swingCount(swings)).toBeGreaterThan(5);
  addSample(swings, 3_000 + GAP_MS + 1, 5, 5, 5, 0.5);
  expect(swingCount(swings)).toBe(0);
  expect(swings.strengthG).toBe(0);
});
