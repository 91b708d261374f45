import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { runAll } from '../../src/lib/run-all.ts';
import { aborted } from '../../src/lib/wait.ts';

test('all loops end when the outer signal aborts', async () => {
  const stop = new AbortController();
  const ended: string[] = [];
  const loop = (name: string) => async (signal: AbortSignal) => {
    await aborted(signal);
    ended.push(name);
  };
  const running = runAll([loop('a'), loop('b')], stop.signal);
  stop.abort();
  await running;
  expect(ended).toEqual(['a', 'b']);
});

test('one failure stops the others, waits for them, and is what is thrown', async () => {
  let closed = false;
  const failing = async () => {
    throw Object.assign(new Error('disk full'), { code: 'FULL' });
  };
  const slow = async (signal: AbortSignal) => {
    await aborted(signal);
    await Promise.resolve();
    closed = true;
  };
  await expect(runAll([slow, failing], new AbortController().signal)).rejects.toMatchObject({ code: 'FULL' });
  expect(closed).toBe(true);
});

test('the first of two errors is the one that is thrown', async () => {
  const first = async () => {
    throw new Error('first');
  };
  const second = async (signal: AbortSignal) => {
    await aborted(signal);
    throw new Error('second, because it was stopped');
  };
  await expect(runAll([second, first], new AbortController().signal)).rejects.toThrow('first');
});

test('a loop that ends by itself stops nobody', async () => {
  const stop = new AbortController();
  let alive = false;
  const running = runAll(
    [
      async () => undefined,
      async (signal) => {
        await new Promise((resolve) => setImmediate(resolve));
        alive = !signal.aborted;
        await aborted(signal);
      },
    ],
    stop.signal,
  );
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  stop.abort();
  await running;
  expect(alive).toBe(true);
});

test('what has run leaves nothing behind at a signal that lives on', async () => {
  const forever = new AbortController();
  for (let i = 0; i < 20; i += 1) await runAll([async () => undefined], forever.signal);
  expect(getEventListeners(forever.signal, 'abort')).toHaveLength(0);
});
