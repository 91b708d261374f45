/** A bounded queue between a driver's callbacks and a loop: the one place where pushing meets pulling. */
import { setImmediate } from 'node:timers/promises';
import { childOf, createWaiters } from './wait.ts';

export interface Queue<T> {
  /** False when the queue is full or closed: the caller decides what that means. */
  push(item: T): boolean;
  /** Waits for at least one item, then takes up to `max`. Empty when the queue is closed or the signal aborts. */
  takeUpTo(max: number, signal: AbortSignal): Promise<T[]>;
  readonly size: number;
  /** Resolves once at least `count` items wait, after `withinMs` (within the turn where that is 0), or when it is closed or the signal aborts. */
  filled(count: number, withinMs: number, signal: AbortSignal): Promise<void>;
  /** Resolves once the queue holds fewer than its limit, or is closed. */
  room(signal: AbortSignal): Promise<void>;
  /** No more pushes; takers get what is left, then empty. */
  close(): void;
}

/** `limit` is the largest number of items that wait. */
export function createQueue<T>(limit: number): Queue<T> {
  let items: T[] = [];
  let closed = false;
  const waiters = createWaiters();
  return {
    push(item) {
      if (closed || items.length >= limit) return false;
      items.push(item);
      waiters.wake();
      return true;
    },
    async takeUpTo(max, signal) {
      while (items.length === 0 && !closed && !signal.aborted) await waiters.wait(signal);
      if (signal.aborted) return [];
      const taken = items.slice(0, max);
      items = items.slice(max);
      waiters.wake();
      return taken;
    },
    get size() {
      return items.length;
    },
    async filled(count, withinMs, signal) {
      if (withinMs <= 0) return setImmediate();
      const late = childOf(signal);
      const timer = setTimeout(late.abort, withinMs);
      while (items.length < count && !closed && !late.signal.aborted) await waiters.wait(late.signal);
      clearTimeout(timer);
      late.release();
    },
    async room(signal) {
      while (items.length >= limit && !closed && !signal.aborted) await waiters.wait(signal);
    },
    close() {
      closed = true;
      waiters.wake();
    },
  };
}
