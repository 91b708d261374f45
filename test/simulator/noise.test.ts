import { expect, it } from 'vitest';
import { createNoise } from '../../src/simulator/noise.ts';

const chunk = Uint8Array.of(1, 2, 3, 4, 5);
const run = (share: number, seed: number) => {
  const noise = createNoise(share, seed);
  return Array.from({ length: 200 }, () => [...noise.disturb(chunk)]);
};

it('leaves chunks alone when it is off, and the chunk itself always', () => {
  expect(run(0, 1)).toEqual(Array.from({ length: 200 }, () => [1, 2, 3, 4, 5]));
  run(1, 1);
  expect([...chunk]).toEqual([1, 2, 3, 4, 5]);
});

it('flips, cuts and adds bytes, the same for the same seed', () => {
  const lengths = run(1, 7).map((bytes) => bytes.length);
  expect(lengths.some((length) => length < 5)).toBe(true);
  expect(lengths.some((length) => length === 5)).toBe(true);
  expect(lengths.some((length) => length > 5)).toBe(true);
  expect(run(0.5, 7)).toEqual(run(0.5, 7));
});
