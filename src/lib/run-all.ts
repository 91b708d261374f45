/** Runs loops side by side: when one ends with an error, or the outer signal aborts, all stop. */
import { childOf } from './wait.ts';

export type Loop = (signal: AbortSignal) => Promise<void>;

/**
 * Resolves when every loop has ended after the outer signal aborted, or once all have ended by themselves.
 * Rejects with the first error, after the others have been stopped and waited for.
 */
export async function runAll(loops: readonly Loop[], outer: AbortSignal): Promise<void> {
  const stop = childOf(outer);
  const failures: unknown[] = [];
  await Promise.all(
    loops.map(async (loop) => {
      try {
        await loop(stop.signal);
      } catch (error) {
        failures.push(error);
        stop.abort();
      }
    }),
  );
  stop.release();
  if (failures.length > 0) throw failures[0];
}
