import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { aborted, backoffMs, childOf, createWaiters, delay, orAborted, ticks } from '../../src/lib/wait.ts';

test('a delay resolves after its time', async () => {
  vi.useFakeTimers();
  try {
    const done = vi.fn();
    const waiting = delay(1_000, new AbortController().signal).then(done);
    await vi.advanceTimersByTimeAsync(999);
    expect(done).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await waiting;
    expect(done).toHaveBeenCalledOnce();
  } finally {
    vi.useRealTimers();
  }
});

test('a delay ends at once when its signal aborts, and leaves no listener', async () => {
  const stop = new AbortController();
  const waiting = delay(3_600_000, stop.signal);
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(1);
  stop.abort();
  await waiting;
  await delay(3_600_000, stop.signal);
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
});

test('a delay that ran out leaves no listener', async () => {
  const stop = new AbortController();
  await delay(0, stop.signal);
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
});

test('ticks come until the signal aborts, and none after', async () => {
  const stop = new AbortController();
  let count = 0;
  for await (const _ of ticks(1, stop.signal)) {
    count += 1;
    if (count === 3) stop.abort();
  }
  expect(count).toBe(3);
});

test('backing off stays between half and all of a doubling, capped wait', () => {
  const limits = { firstMs: 100, maxMs: 10_000 };
  expect([0, 1, 2, 7, 50].map((attempt) => backoffMs(attempt, limits, 1))).toEqual([100, 200, 400, 10_000, 10_000]);
  fc.assert(
    fc.property(fc.nat(100), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
      const all = backoffMs(attempt, limits, 1);
      const some = backoffMs(attempt, limits, random);
      expect(some).toBeGreaterThanOrEqual(all / 2);
      expect(some).toBeLessThanOrEqual(all);
    }),
  );
});

test('aborted resolves when the signal aborts, before or later', async () => {
  await aborted(AbortSignal.abort());
  const stop = new AbortController();
  const waiting = aborted(stop.signal);
  stop.abort();
  await waiting;
});

test('all who wait are woken once, and leave no listener', async () => {
  const waiters = createWaiters();
  const stop = new AbortController();
  const woken: string[] = [];
  const wait = (name: string) => waiters.wait(stop.signal).then(() => woken.push(name));
  const both = [wait('a'), wait('b')];
  waiters.wake();
  await Promise.all(both);
  expect(woken).toEqual(['a', 'b']);
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
  const third = wait('c');
  stop.abort();
  await third;
  await waiters.wait(stop.signal);
});

test('who stopped waiting is forgotten at once: a wake that never comes costs no memory', async () => {
  const waiters = createWaiters();
  const refs: WeakRef<AbortController>[] = [];
  for (let i = 0; i < 100; i += 1) {
    const stop = new AbortController();
    refs.push(new WeakRef(stop));
    const waiting = waiters.wait(stop.signal);
    stop.abort();
    await waiting;
  }
  const { setFlagsFromString } = await import('node:v8');
  setFlagsFromString('--expose-gc');
  const { runInNewContext } = await import('node:vm');
  await new Promise((resolve) => setImmediate(resolve));
  (runInNewContext('gc') as () => void)();
  expect(refs.filter((ref) => ref.deref() !== undefined).length).toBeLessThan(5);
  waiters.wake();
});

test('a wait for a wake ends after its time, and leaves no listener', async () => {
  const stop = new AbortController();
  await createWaiters().wait(stop.signal, 5);
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
});

test('a child aborts with its outer signal and not the other way round, and can be let go', () => {
  const outer = new AbortController();
  const [first, second, third] = [childOf(outer.signal), childOf(outer.signal), childOf(outer.signal)];
  first.abort();
  expect([first.signal.aborted, outer.signal.aborted, second.signal.aborted]).toEqual([true, false, false]);
  first.release();
  third.release();
  expect(getEventListeners(outer.signal, 'abort')).toHaveLength(1);
  outer.abort('over');
  expect([second.signal.reason, third.signal.aborted]).toEqual(['over', false]);
  expect(childOf(outer.signal).signal.aborted).toBe(true);
});

test('work is waited for until it ends or the signal aborts, and leaves no listener', async () => {
  const stop = new AbortController();
  await orAborted(Promise.resolve('done'), stop.signal);
  await expect(orAborted(Promise.reject(new Error('failed')), stop.signal)).rejects.toThrow('failed');
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
  let fail: (error: Error) => void = () => undefined;
  const work = new Promise((_, reject) => {
    fail = reject;
  });
  const waiting = orAborted(work, stop.signal);
  stop.abort();
  await waiting;
  // Nobody looks at it any more, and it is no unhandled rejection.
  fail(new Error('too late'));
});
