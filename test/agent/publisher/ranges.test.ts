import fc from 'fast-check';
import { expect, test } from 'vitest';
import { both, clip, count, type Ranges, span, union, without } from '../../../src/agent/publisher/ranges.ts';

const ranges = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 9 })), { maxLength: 8 })
  .map((pairs) => pairs.reduce<Ranges>((all, [from, length]) => union(all, span(from, from + length)), []));

const members = (a: Ranges) =>
  new Set(a.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i)));
const isOrdered = (a: Ranges) => a.every(([from, to], i) => from <= to && (i === 0 || from > (a[i - 1]?.[1] ?? 0)));

test('ranges behave as the sets that they stand for', () => {
  fc.assert(
    fc.property(ranges, ranges, fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 50 }), (a, b, low, high) => {
      const [x, y] = [members(a), members(b)];
      expect(members(union(a, b))).toEqual(new Set([...x, ...y]));
      expect(members(without(a, b))).toEqual(new Set([...x].filter((n) => !y.has(n))));
      expect(members(both(a, b))).toEqual(new Set([...x].filter((n) => y.has(n))));
      expect([...members(clip(a, low, high))]).toEqual([...x].filter((n) => n >= low && n <= high));
      expect(count(a)).toBe(x.size);
      expect([union(a, b), without(a, b), both(a, b), clip(a, low, high)].every(isOrdered)).toBe(true);
    }),
  );
});
