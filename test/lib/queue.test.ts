import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { createQueue } from '../../src/lib/queue.ts';

const never = new AbortController().signal;

test('items come out in the order in which they went in', async () => {
  const queue = createQueue<number>(10);
  for (const n of [1, 2, 3]) queue.push(n);
  expect(await queue.takeUpTo(2, never)).toEqual([1, 2]);
  expect(await queue.takeUpTo(2, never)).toEqual([3]);
});

test('a full queue refuses, and takes again after a take', async () => {
  const queue = createQueue<number>(2);
  expect([1, 2, 3].map((n) => queue.push(n))).toEqual([true, true, false]);
  expect(queue.size).toBe(2);
  await queue.takeUpTo(1, never);
  expect(queue.push(4)).toBe(true);
  expect(await queue.takeUpTo(9, never)).toEqual([2, 4]);
});

test('a taker waits for the first item', async () => {
  const queue = createQueue<string>(1);
  const taking = queue.takeUpTo(5, never);
  queue.push('a');
  expect(await taking).toEqual(['a']);
});

test('one who waits for room goes on after a take', async () => {
  const queue = createQueue<number>(1);
  queue.push(1);
  let went = false;
  const waiting = queue.room(never).then(() => {
    went = true;
  });
  await Promise.resolve();
  expect(went).toBe(false);
  await queue.takeUpTo(1, never);
  await waiting;
  expect(went).toBe(true);
});

test('an abort ends every wait, with nothing taken, and leaves no listener', async () => {
  const stop = new AbortController();
  const empty = createQueue<number>(1);
  const full = createQueue<number>(1);
  full.push(1);
  const waits = [empty.takeUpTo(1, stop.signal), full.room(stop.signal)];
  stop.abort();
  expect(await Promise.all(waits)).toEqual([[], undefined]);
  expect(await full.takeUpTo(1, stop.signal)).toEqual([]);
  expect(full.size).toBe(1);
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
});

test('a closed queue gives what is left, then nothing, and takes nothing more', async () => {
  const queue = createQueue<number>(5);
  queue.push(1);
  queue.close();
  expect(queue.push(2)).toBe(false);
  expect(await queue.takeUpTo(5, never)).toEqual([1]);
  expect(await queue.takeUpTo(5, never)).toEqual([]);
  await queue.room(never);
});

test('of two takers each item goes to one', async () => {
  const queue = createQueue<number>(5);
  const takers = [queue.takeUpTo(1, never), queue.takeUpTo(1, never)];
  queue.push(1);
  queue.push(2);
  expect((await Promise.all(takers)).flat().sort()).toEqual([1, 2]);
});

test('one who waits for several goes on when they are there', async () => {
  const queue = createQueue<number>(5);
  let went = false;
  const waiting = queue.filled(2, 60_000, never).then(() => {
    went = true;
  });
  queue.push(1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(went).toBe(false);
  queue.push(2);
  await waiting;
  expect(queue.size).toBe(2);
});

test('one who waits for several goes on with fewer after the time, at the close, and at an abort, and leaves no listener', async () => {
  const queue = createQueue<number>(5);
  queue.push(1);
  await queue.filled(2, 5, never);
  const stop = new AbortController();
  const aborted = queue.filled(2, 60_000, stop.signal);
  stop.abort();
  await aborted;
  const closed = queue.filled(2, 60_000, never);
  queue.close();
  await closed;
  expect(queue.size).toBe(1);
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
  expect(getEventListeners(never, 'abort')).toHaveLength(0);
});

test('without a time to wait what comes in the same turn is there', async () => {
  const queue = createQueue<number>(5);
  const waiting = queue.filled(5, 0, never);
  await Promise.resolve();
  queue.push(1);
  await waiting;
  expect(queue.size).toBe(1);
});
