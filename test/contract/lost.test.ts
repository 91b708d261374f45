import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lostData, lostRanges, MAX_LOST_RANGES } from '../../src/contract/lost.ts';
import type { SeqRange } from '../../src/contract/message.ts';

/** Sorted, disjoint, not touching: lengths of what is lost and of what lies between. */
const ranges = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 })), { minLength: 1, maxLength: 1_200 })
  .map((pairs) => {
    let next = 1;
    return pairs.map(([held, lost]): SeqRange => {
      const from = next + held;
      next = from + lost;
      return [from, next - 1];
    });
  });

test('what is told is exactly what is lost, in few events that stay small', () => {
  fc.assert(
    fc.property(ranges, (lost) => {
      const told = lostData('e', lost, 'why');
      expect(told.length).toBe(Math.ceil(lost.length / MAX_LOST_RANGES));
      expect(told.flatMap((data) => lostRanges({ ...data }) ?? [])).toEqual(lost);
      expect(told.reduce((sum, { count }) => sum + count, 0)).toBe(lost.reduce((sum, [a, b]) => sum + b - a + 1, 0));
      for (const data of told) expect(JSON.stringify(data).length).toBeLessThan(8_192);
    }),
  );
});

test('one range needs no runs', () => {
  expect(lostData('e', [[4, 8]], 'why')).toEqual([{ epoch: 'e', fromSeq: 4, toSeq: 8, count: 5, reason: 'why' }]);
});

test('as many ranges as an event may tell are read, and no more: each is a row of whoever is told', () => {
  const singles = (count: number) => {
    const runs = Array.from({ length: 2 * count - 1 }, () => 1);
    return lostRanges({ fromSeq: 1, toSeq: runs.length, runs });
  };
  expect(singles(MAX_LOST_RANGES)).toHaveLength(MAX_LOST_RANGES);
  expect(singles(MAX_LOST_RANGES + 1)).toBeNull();
});

test.each([
  [{ fromSeq: 0, toSeq: 0 }],
  [{ fromSeq: 5, toSeq: 4 }],
  [{ fromSeq: 1, toSeq: 2.5 }],
  [{ fromSeq: 1, toSeq: 4, runs: [1, 1] }],
  [{ fromSeq: 1, toSeq: 4, runs: [1, 1, 1] }],
  [{ fromSeq: 1, toSeq: 4, runs: [2, -1, 3] }],
  [{ fromSeq: 1, toSeq: 4, runs: '4' }],
])('%j tells no range', (body) => {
  expect(lostRanges(body)).toBeNull();
});
