import { expect, test } from 'vitest';
import { slopeOf } from './slope.ts';

test('a line is found, and its interval is nothing', () => {
  const { perUnit, plusMinus } = slopeOf([0, 1, 2, 3, 4].map((x) => [x, 7 + 3 * x]));
  expect(perUnit).toBeCloseTo(3, 10);
  expect(plusMinus).toBeCloseTo(0, 6);
});

/** By hand: sxx 10, sxy 9, residuals .8, -.1, -1, .1 and .2, so 1.7 for 3 degrees of freedom: 3.18 · √(.5667 / 10). */
test('what lies beside the line makes the interval', () => {
  const slope = slopeOf([
    [1, 2],
    [2, 2],
    [3, 2],
    [4, 4],
    [5, 5],
  ]);
  expect(slope.perUnit).toBeCloseTo(0.8, 10);
  expect(slope.plusMinus).toBeCloseTo(3.18 * Math.sqrt(1.6 / 3 / 10), 10);
  expect(slope.points).toBe(5);
});

test('two points say nothing of how sure they are, and one no slope', () => {
  expect(
    slopeOf([
      [0, 0],
      [1, 5],
    ]),
  ).toMatchObject({ perUnit: 5, plusMinus: Number.POSITIVE_INFINITY });
  expect(slopeOf([[1, 1]]).perUnit).toBeNaN();
});
