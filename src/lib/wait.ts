/** Waiting that can be stopped. Every wait takes a signal and ends early, without an error, when it aborts. */

/** Resolves after `ms`, or at once when the signal aborts. */
export function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** Yields every `everyMs` until the signal aborts. */
export async function* ticks(everyMs: number, signal: AbortSignal): AsyncGenerator<void> {
  while (!signal.aborted) {
    await delay(everyMs, signal);
    if (!signal.aborted) yield;
  }
}

export interface BackoffLimits {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Full jitter (Brooker 2015, "Exponential Backoff And Jitter"): between half and all of firstMs · 2^attempt, capped. */
export function backoffMs(attempt: number, limits: BackoffLimits, random: number): number {
  const ceiling = Math.min(limits.maxMs, limits.firstMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling / 2 + (random * ceiling) / 2);
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

export interface Waiters {
  /** Lets all go that wait now. */
  wake(): void;
  /** Resolves at the next `wake`, when the signal aborts, or after `withinMs`. */
  wait(signal: AbortSignal, withinMs?: number): Promise<void>;
}

/** Nobody who has stopped waiting is kept, however long the next `wake` takes. */
export function createWaiters(): Waiters {
  const waiting = new Set<() => void>();
  return {
    wake() {
      for (const go of [...waiting]) go();
    },
    wait: (signal, withinMs) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const go = () => {
          clearTimeout(timer);
          waiting.delete(go);
          signal.removeEventListener('abort', go);
          resolve();
        };
        const timer = withinMs === undefined ? undefined : setTimeout(go, withinMs);
        waiting.add(go);
        signal.addEventListener('abort', go, { once: true });
      }),
  };
}

/** At most `limit` at once; the others wait, in the order in which they came. */
export function createGate(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}

export interface Child {
  readonly signal: AbortSignal;
  abort(): void;
  /** Lets go of the outer signal. */
  release(): void;
}

/**
 * A signal that aborts by itself or with `outer`. For what ends before `outer` does: AbortSignal.any leaves some bytes behind at
 * each call on Node.js 22, for as long as `outer` lives.
 */
export function childOf(outer: AbortSignal): Child {
  const own = new AbortController();
  const abort = () => own.abort(outer.aborted ? outer.reason : undefined);
  if (outer.aborted) abort();
  else outer.addEventListener('abort', abort, { once: true });
  return { signal: own.signal, abort, release: () => outer.removeEventListener('abort', abort) };
}

/** Resolves when `work` has ended, or the signal aborts: then what becomes of `work` is nobody's concern. Rejects as `work` does. */
export async function orAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const over = childOf(signal);
  try {
    await Promise.race([work, aborted(over.signal)]);
  } finally {
    over.release();
  }
}
