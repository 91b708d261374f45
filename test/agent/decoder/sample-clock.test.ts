import { describe, expect, it } from 'vitest';
import { advanceClock, MAX_LOST_FRAMES, startClock } from '../../../src/agent/decoder/sample-clock.ts';

const frame = (counter: number, atMs: number | null, samples = 5) => ({
  counter: counter & 0xffff,
  samples,
  stepMs: 20,
  atMs,
  latestMs: 0,
});

/** End times and losses of frames with these counters and arrivals. */
function run(frames: readonly (readonly [counter: number, atMs: number | null])[]) {
  const [first = [0, null], ...rest] = frames;
  const clock = startClock(frame(first[0], first[1]));
  const ends = [clock.endMs];
  let lost = 0;
  for (const [counter, atMs] of rest) {
    const before = clock.endMs;
    const tick = advanceClock(clock, frame(counter, atMs));
    if (tick.type === 'duplicate') continue;
    lost += tick.lostSamples;
    expect(clock.endMs - (clock.samples - 1) * clock.stepMs).toBeGreaterThan(before);
    ends.push(clock.endMs);
  }
  return { ends, lost };
}

describe('sample clock', () => {
  it('is purely predicted in a recording, starting at 0, over losses and the wrap', () => {
    const { ends, lost } = run([
      [65_534, null],
      [65_535, null],
      [0, null],
      [3, null],
    ]);
    expect(ends).toEqual([80, 180, 280, 580]);
    expect(lost).toBe(10);
  });

  it('keeps samples evenly apart when frames arrive in a burst', () => {
    const arrivals = Array.from({ length: 60 }, (_, i) => [i, 1000 + Math.ceil((i * 100) / 500) * 500] as const);
    const { ends, lost } = run(arrivals);
    const steps = ends.slice(20).map((end, i) => end - (ends[19 + i] ?? 0));
    expect(Math.min(...steps)).toBeGreaterThan(50);
    expect(Math.max(...steps)).toBeLessThan(120);
    expect(lost).toBe(0);
  });

  it('follows a collar whose crystal is 2 % off, within 100 ms', () => {
    for (const period of [98, 102]) {
      const frames = Array.from({ length: 1000 }, (_, i) => [i, 1000 + i * period] as const);
      const { ends } = run(frames);
      expect(Math.abs((ends.at(-1) ?? 0) - (1000 + 999 * period))).toBeLessThan(100);
    }
  });

  it('catches up with arrival after a pause that the counter does not know', () => {
    const { ends, lost } = run([
      [1, 1000],
      [2, 61_000],
      [3, 61_100],
    ]);
    expect(ends).toEqual([1000, 61_000, 61_100]);
    expect(lost).toBe(0);
  });

  it('goes on at half speed, never back, when arrival shows that it is far ahead', () => {
    const frames = Array.from({ length: 100 }, (_, i) => [i, 1000 + i * 50] as const);
    const { ends } = run(frames);
    expect((ends.at(-1) ?? 0) - (1000 + 99 * 50)).toBeLessThan(600);
  });

  it('takes a jump back, a huge one, and one that came too soon for a restart without loss', () => {
    expect(run([[500, null], [3, null]]).lost).toBe(0); // biome-ignore format: a row a case
    expect(run([[0, null], [MAX_LOST_FRAMES, null]]).lost).toBe((MAX_LOST_FRAMES - 1) * 5); // biome-ignore format: a row a case
    expect(run([[0, null], [MAX_LOST_FRAMES + 1, null]]).lost).toBe(0); // biome-ignore format: a row a case
    expect(run([[65_000, 1000], [2, 3000]])).toEqual({ ends: [1000, 3000], lost: 0 }); // biome-ignore format: a row a case
  });

  it('believes a loss when the time for it has passed', () => {
    expect(run([[0, 1000], [601, 61_000]]).lost).toBe(3000); // biome-ignore format: a row a case
  });

  it('knows the same frame again', () => {
    const clock = startClock(frame(9, 1000));
    expect(advanceClock(clock, frame(9, 1001))).toEqual({ type: 'duplicate' });
    expect(clock.endMs).toBe(1000);
  });

  it('says of a frame without samples that it is there when it arrives', () => {
    const clock = startClock(frame(1, 1000, 0));
    advanceClock(clock, frame(2, 2500, 0));
    expect(clock.endMs).toBe(2500);
  });
});
