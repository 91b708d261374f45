import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLags } from './lags.ts';

test('a share of the delays is told to 1 %, whatever they are', () => {
  const delays = fc.array(fc.double({ min: 0.1, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(delays, fc.double({ min: 0.01, max: 1, noNaN: true }), (all, share) => {
      const lags = createLags();
      for (const ms of all) lags.add(ms);
      const exact = all.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(all.length * share)) - 1] ?? Number.NaN;
      expect(Math.abs(lags.at(share) / exact - 1)).toBeLessThan(0.0101);
      expect(lags.maxMs).toBe(Math.max(...all));
      expect(lags.count).toBe(all.length);
    }),
  );
});

test('none are told of none, nor after they were cleared', () => {
  const lags = createLags();
  expect(lags.at(0.5)).toBeNaN();
  lags.add(3);
  lags.clear();
  expect([lags.at(0.5), lags.count, lags.maxMs]).toEqual([Number.NaN, 0, 0]);
});
