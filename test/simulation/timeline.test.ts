import { expect, it } from 'vitest';
import { createTimeline } from './timeline.ts';

it('lets time pass in the order of the moments, and of coming where these are equal', async () => {
  const time = createTimeline();
  const seen: string[] = [];
  const note = (name: string) => () => seen.push(`${name} at ${time.nowMs}`);
  for (const [name, ms] of [
    ['d', 30],
    ['a', 10],
    ['b', 20],
    ['c', 20],
    ['late', 99],
  ] as const)
    time.after(ms, note(name));
  time.after(15, note('cancelled')).cancel();
  time.after(10, () => void Promise.resolve().then(() => time.after(0, note('after a'))));
  await time.runUntil(50);
  expect(seen).toEqual(['a at 10', 'after a at 10', 'b at 20', 'c at 20', 'd at 30']);
  expect(time.nowMs).toBe(50);
});

it('goes on with all that can before time passes', async () => {
  const time = createTimeline();
  const seen: number[] = [];
  const loop = async () => {
    for (let i = 0; i < 1_000; i += 1) await null;
    seen.push(time.nowMs);
  };
  time.after(5, () => void loop());
  time.after(6, () => seen.push(time.nowMs));
  await time.runUntil(10);
  expect(seen).toEqual([5, 6]);
});

it('keeps its order whatever comes', async () => {
  const time = createTimeline();
  const given = Array.from({ length: 500 }, (_, i) => (i * 7_919) % 1_009);
  const seen: number[] = [];
  for (const ms of given) time.after(ms, () => seen.push(ms));
  await time.runUntil(2_000);
  expect(seen).toEqual([...given].sort((a, b) => a - b));
});
