import { expect, test } from 'vitest';
import { askForest, packForest } from '../../src/agent/detector/forest.ts';
import { createRandom } from '../../src/simulator/random.ts';
import { type Example, growForest, lossOf } from './grow.ts';

const growth = { trees: 20, rate: 0.3, leastShare: 0.01, ridge: 0 };

/** Yes where the two numbers are on the same side of 0, which no single threshold tells. */
function examples(seed: number): Example[] {
  const random = createRandom(seed, 2);
  return Array.from({ length: 500 }, () => {
    const [a, b] = [random.normal(), random.normal()];
    return { features: Float64Array.of(a, b, random.normal()), yes: a > 0 === b > 0, weight: 1 / 500 };
  });
}

test('learns what two numbers say together, and the same each time', () => {
  const forest = growForest(examples(1), growth);
  expect(growForest(examples(1), growth)).toEqual(forest);
  expect(lossOf(forest, examples(2))).toBeLessThan(0.4);
  const packed = packForest(forest);
  const right = examples(3).filter(({ features, yes }) => askForest(packed, features) > 0 === yes);
  expect(right.length).toBeGreaterThan(430);
});

test('what cannot be told apart stays at the odds of all', () => {
  const same = Array.from({ length: 40 }, (_, i) => ({
    features: Float64Array.of(1),
    yes: i % 4 === 0,
    weight: 1 / 40,
  }));
  const packed = packForest(growForest(same, growth));
  expect(askForest(packed, Float64Array.of(1))).toBeCloseTo(Math.log(1 / 3), 2);
});
