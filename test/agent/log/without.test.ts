import fc from 'fast-check';
import { expect, it } from 'vitest';
import { without } from '../../../src/agent/log/without.ts';
import type { SeqRange } from '../../../src/contract/message.ts';

it.each<[SeqRange[], SeqRange[], SeqRange[]]>([
  [[], [[1, 9]], []],
  [[[1, 9]], [], [[1, 9]]],
  [[[3, 5]], [[1, 9]], []],
  [[[3, 5]], [[3, 5]], []],
  [
    [[1, 9]],
    [[3, 5]],
    [
      [1, 2],
      [6, 9],
    ],
  ],
  [
    [[1, 9]],
    [
      [7, 20],
      [0, 2],
    ],
    [[3, 6]],
  ],
  [[[1, 9]], [[10, 12]], [[1, 9]]],
  [
    [
      [1, 3],
      [5, 8],
      [12, 14],
    ],
    [
      [2, 6],
      [4, 4],
      [13, 13],
    ],
    [
      [1, 1],
      [7, 8],
      [12, 12],
      [14, 14],
    ],
  ],
])('of %j without %j is left %j', (ranges, others, left) => expect(without(ranges, others)).toEqual(left));

it('is what a set of numbers gives', () => {
  const numbers = (ranges: readonly SeqRange[]) =>
    ranges.flatMap(([a, b]) => Array.from({ length: b - a + 1 }, (_, i) => a + i));
  const range = fc.tuple(fc.nat(60), fc.nat(9)).map(([from, more]): SeqRange => [from, from + more]);
  const apart = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(9)), { maxLength: 8 }).map((steps) => {
    let at = 0;
    return steps.map(([gap, more]): SeqRange => {
      const from = at + gap;
      at = from + more;
      return [from, at];
    });
  });
  fc.assert(
    fc.property(apart, fc.array(range, { maxLength: 8 }), (ranges, others) => {
      const gone = new Set(numbers(others));
      expect(numbers(without(ranges, others))).toEqual(numbers(ranges).filter((one) => !gone.has(one)));
    }),
  );
});
