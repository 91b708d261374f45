import { describe, expect, test } from 'vitest';
import {
  type BatchLimit,
  cameThrough,
  flown,
  fullBatches,
  MAX_PATIENCE,
  notThrough,
  onNextLink,
  tooLarge,
  watching,
} from '../../../src/agent/publisher/batch-limit.ts';

const FULL = 100;
const BYTES = 10;

/** One batch goes out, and is written. */
const sent = (limit: BatchLimit, from: number, to: number): BatchLimit => {
  const watched = watching(limit, { id: from, epoch: 'e', from, to, at: 0 });
  return flown(watched, from, { bytes: (to - from + 1) * BYTES });
};
const came = (limit: BatchLimit, from: number, to: number) => cameThrough(sent(limit, from, to), FULL);
const lost = (limit: BatchLimit, from: number, to: number) => notThrough(sent(limit, from, to));
const times = (count: number, limit: BatchLimit, then: (limit: BatchLimit) => BatchLimit) =>
  Array.from({ length: count }).reduce<BatchLimit>(then, limit);

describe('what did not come through', () => {
  test('once, or now this and now that one, says nothing of the size', () => {
    const once = lost(fullBatches(FULL), 1, 100);
    expect(once).toMatchObject({ events: FULL, missedBytes: null, isSize: false });
    expect(lost(once, 101, 200)).toMatchObject({ events: FULL, missed: { seq: 101, times: 1 } });
  });

  test('twice in a row and more halves it each time, down to one event, and then others learn nothing', () => {
    let limit = lost(fullBatches(FULL), 1, 100);
    const sizes: number[] = [];
    while (limit.stuck === null) {
      limit = lost(limit, 1, limit.events);
      sizes.push(limit.events);
    }
    expect(sizes).toEqual([50, 25, 12, 6, 3, 1, 1]);
    expect(limit).toMatchObject({ stuck: { epoch: 'e', seq: 1, bytes: BYTES }, missedBytes: BYTES });
    const wide = { ...fullBatches(FULL), missed: { epoch: 'e', seq: 7, times: 1 } };
    expect(lost(wide, 7, 7)).toMatchObject({ events: FULL, stuck: { seq: 7 } });
  });

  test('is half of what was sent, not of what might have been', () => {
    expect(lost(lost(fullBatches(FULL), 1, 20), 1, 20).events).toBe(10);
  });

  test('is taken at the first time where the size has just grown', () => {
    const grown = came(tooLarge(fullBatches(FULL), 50, 500), 1, 20);
    expect(grown).toMatchObject({ events: 50, grown: true });
    expect(lost(grown, 21, 70)).toMatchObject({ events: 25, grown: false, patience: 2 });
    expect(lost(grown, 21, 30)).toMatchObject({ events: 50, grown: true });
  });
});

test('what went out and was not weighed counts as nothing', () => {
  const unweighed = (limit: BatchLimit) => watching(limit, { id: 1, epoch: 'e', from: 1, to: 1, at: 0 });
  const limit = cameThrough(unweighed({ ...fullBatches(FULL), missedBytes: 50 }), FULL);
  expect(limit).toMatchObject({ missedBytes: 50, isSize: true });
  const twice = notThrough(unweighed(notThrough(unweighed(fullBatches(FULL)))));
  expect(twice).toMatchObject({ stuck: { epoch: 'e', seq: 1, bytes: 0 }, missedBytes: 0 });
});

describe('what comes through', () => {
  test('lets the size double, up to that of the configuration', () => {
    let limit = tooLarge(fullBatches(FULL), 20, 200);
    const sizes: number[] = [];
    for (let from = 1; limit.events < FULL; from += FULL) {
      limit = came(limit, from, from + limit.events - 1);
      sizes.push(limit.events);
    }
    expect(sizes).toEqual([20, 40, 80, 100]);
    expect(came(limit, 1_001, 1_100).events).toBe(FULL);
  });

  test('and is small says nothing of larger ones', () => {
    const half = tooLarge(fullBatches(FULL), 100, 1_000);
    expect(came(half, 1, 25).events).toBe(50);
    expect(came(half, 1, 26).events).toBe(100);
  });

  test('at a size that larger ones keep failing at is asked for twice as long each time, and not for ever', () => {
    let limit = tooLarge(fullBatches(FULL), 100, 1_000);
    const tries: number[] = [];
    for (let round = 0; round < 9; round += 1) {
      let count = 0;
      for (; limit.events === 50; count += 1) limit = came(limit, 1, 50);
      tries.push(count);
      limit = tooLarge(limit, 100, 1_000);
    }
    expect(tries).toEqual([1, 2, 4, 8, 16, 32, MAX_PATIENCE, MAX_PATIENCE, MAX_PATIENCE]);
    const through = came(
      times(MAX_PATIENCE, limit, (one) => came(one, 1, 50)),
      1,
      100,
    );
    expect(through).toMatchObject({ events: FULL, missedBytes: null });
  });

  test('makes it a matter of size, until one of that size comes as well', () => {
    const smaller = tooLarge(fullBatches(FULL), 100, 1_000);
    expect(smaller).toMatchObject({ missedBytes: 1_000, isSize: false });
    const known = came(smaller, 1, 50);
    expect(known).toMatchObject({ missedBytes: 1_000, isSize: true });
    expect(came(known, 51, 149)).toMatchObject({ missedBytes: 1_000, isSize: true });
    expect(came(known, 51, 150)).toMatchObject({ missedBytes: null, isSize: false });
  });

  test('is no longer missed, nor stuck', () => {
    const missed = { epoch: 'e', seq: 5, times: 3 };
    const limit = { ...fullBatches(FULL), missed, stuck: { epoch: 'e', seq: 5, bytes: BYTES } };
    expect(came(limit, 5, 5)).toMatchObject({ missed: null, stuck: null });
    expect(came(limit, 6, 9)).toMatchObject({ missed, stuck: { seq: 5 } });
  });
});

describe('what is watched', () => {
  const first = sent(fullBatches(FULL), 10, 19);
  const of = (limit: BatchLimit, from: number, to: number, epoch = 'e') =>
    watching(limit, { id: 99, epoch, from, to, at: 1 }).watch?.flight;

  test.each([
    ['another one as large', 20, 29, 'e', 10],
    ['a larger one', 20, 30, 'e', 99],
    ['the same again', 1, 10, 'e', 99],
    ['the same numbers of another epoch', 10, 19, 'f', 10],
  ])('after %s', (_name, from, to, epoch, flight) => expect(of(first, from, to, epoch)).toBe(flight));

  test('is first of all what did not come through', () => {
    const missed = notThrough(first);
    expect(of(sent(missed, 20, 99), 10, 12)).toBe(99);
    expect(of(sent(missed, 10, 12), 20, 99)).toBe(10);
  });

  test('alone, and stuck, does not keep others from being found out', () => {
    const stuck = lost(lost(fullBatches(FULL), 10, 10), 10, 10);
    expect(of(sent(stuck, 10, 10), 20, 29)).toBe(99);
    expect(of(sent(stuck, 20, 29), 10, 10)).toBe(20);
  });

  test('is known by what was read and written of it, and of no other', () => {
    expect(flown(first, 10, { to: 12 }).watch).toMatchObject({ from: 10, to: 12, bytes: 100 });
    expect(flown(first, 11, { to: 12 })).toBe(first);
    expect(flown(first, 10, null).watch).toBe(null);
  });

  test('goes on over the next link where it was written', () => {
    expect(onNextLink(first).watch).toMatchObject({ from: 10, to: 19, flight: null });
    expect(onNextLink(watching(fullBatches(FULL), { id: 1, epoch: 'e', from: 1, to: 2, at: 0 })).watch).toBe(null);
    expect(onNextLink(fullBatches(FULL))).toEqual(fullBatches(FULL));
  });

  test('may be nothing', () => {
    const none = fullBatches(FULL);
    expect([notThrough(none), cameThrough(none, FULL), flown(none, 1, null)]).toEqual([none, none, none]);
  });
});
