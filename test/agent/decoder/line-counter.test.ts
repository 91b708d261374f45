import { describe, expect, it } from 'vitest';
import { createLineCounter } from '../../../src/agent/decoder/line-counter.ts';

describe('line counter', () => {
  const cases: [string, number[], (number | 'duplicate')[]][] = [
    ['counts what is missing', [1, 2, 5], [0, 0, 2]],
    ['knows the same counter again', [7, 7, 8], [0, 'duplicate', 0]],
    ['wraps at 8 bits', [254, 255, 0, 2], [0, 0, 0, 1]],
    ['wraps at 16 bits', [65_534, 1], [0, 2]],
    ['wraps at 32 bits', [4_294_967_295, 0], [0, 0]],
    ['takes a jump back for a restart', [500, 3, 4], [0, 0, 0]],
    ['takes a huge jump ahead for a restart', [1, 60_000], [0, 0]],
  ];
  it.each(cases)('%s', (_, counters, expected) => {
    const counter = createLineCounter();
    expect(counters.map((n) => counter.next('collar', n))).toEqual(expected);
  });

  it.each<[string, number, number[], (number | 'duplicate')[]]>([
    ['wraps where it is told', 65_535, [65_534, 0, 2], [0, 0, 1]],
    ['takes a quarter of the range for a restart', 256, [100, 165, 164], [0, 64, 0]],
    ['takes more than that for a restart', 256, [100, 166], [0, 0]],
    ['takes a long loss for a restart', 2 ** 32, [1, 1_003], [0, 0]],
  ])('of a known width %s', (_, wrap, counters, expected) => {
    const counter = createLineCounter();
    expect(counters.map((n) => counter.next('collar', n, wrap))).toEqual(expected);
  });

  it('keeps senders apart', () => {
    const counter = createLineCounter();
    expect([counter.next('a', 1), counter.next('b', 1), counter.next('a', 2)]).toEqual([0, 0, 0]);
  });
});
