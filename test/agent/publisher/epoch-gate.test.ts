import { expect, test } from 'vitest';
import { createEpochGate } from '../../../src/agent/publisher/epoch-gate.ts';

test('the first passes at once, further ones ever later: a year of forged marks begins fewer epochs than central takes', () => {
  let now = 0;
  const gate = createEpochGate(() => now);
  const passedAt: number[] = [];
  const minute = 60_000;
  for (; now < 365 * 24 * 60 * minute; now += minute) if (gate.pass()) passedAt.push(now / minute);
  expect(passedAt.slice(0, 5)).toEqual([0, 1, 3, 7, 15]);
  expect(passedAt.length).toBeLessThan(400);
});
