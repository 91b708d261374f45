import { expect, test } from 'vitest';
import {
  addSample,
  BIN_MS,
  BINS,
  createMotionWindow,
  type MotionWindow,
} from '../../../src/agent/detector/motion-window.ts';

/** The bins from the oldest to the newest: x, or null where it is not known. */
function xs(w: MotionWindow): (number | null)[] {
  return Array.from({ length: w.count }, (_, i) => {
    const j = (w.head - (w.count - 1 - i) + BINS) % BINS;
    return w.known[j] === 1 ? (w.xyz[3 * j] ?? 0) : null;
  });
}

function fed(samples: readonly (readonly [atMs: number, x: number])[]): MotionWindow {
  const w = createMotionWindow();
  for (const [atMs, x] of samples) addSample(w, atMs, x, 0, 1);
  return w;
}

test('samples of one bin are one, and a bin is finished by the next one', () => {
  expect(
    xs(
      fed([
        [0, 1],
        [5, 2],
        [10, 3],
        [15, 2],
        [20, 8],
      ]),
    ),
  ).toEqual([2]);
});

test('a short gap is bridged, a longer one is unknown, and half a second begins anew', () => {
  const bridged = fed([
    [0, 0],
    [80, 4],
    [100, 0],
  ]);
  expect(xs(bridged)).toEqual([0, 1, 2, 3, 4]);
  const gap = xs(
    fed([
      [0, 1],
      [300, 2],
      [320, 0],
    ]),
  );
  expect(gap).toHaveLength(16);
  expect(gap.slice(1, -1).every((x) => x === null)).toBe(true);
  const anew = fed([
    [0, 1],
    [600, 2],
    [620, 0],
  ]);
  expect(xs(anew)).toEqual([2]);
});

test('time that steps back a little is no time, and a clock that starts again begins anew', () => {
  const w = fed([
    [1_000, 1],
    [1_020, 2],
    [1_010, 2],
    [1_040, 3],
  ]);
  expect(xs(w)).toEqual([1, 2]);
  addSample(w, 0, 5, 0, 1);
  addSample(w, 20, 6, 0, 1);
  expect(xs(w)).toEqual([5]);
});

test('holds one second, however long it goes on', () => {
  const w = fed(Array.from({ length: 1_000 }, (_, i) => [i * BIN_MS, i] as const));
  expect(xs(w)).toEqual(Array.from({ length: BINS }, (_, i) => 999 - BINS + i));
});

test('the level follows movement and not gravity, in any posture', () => {
  const still = fed(Array.from({ length: 200 }, (_, i) => [i * 20, -1.4] as const));
  expect(still.levelG).toBeLessThan(0.01);
  const moving = fed(Array.from({ length: 200 }, (_, i) => [i * 20, 2 * Math.sin(i)] as const));
  expect(Math.abs(moving.levelG - 1.27)).toBeLessThan(0.3);
});
