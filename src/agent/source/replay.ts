/** Recorded readings in real time: their bursts keep their lengths, and nothing happens in the future. */
import { delay } from '../../lib/wait.ts';
import type { Reading } from '../decoder/reading.ts';

/** Gives each reading its time since boot, counted from the first one on. Resolves when that time has come. */
export function createReplay(
  clock: { monoNow(): number },
  signal: AbortSignal,
): (reading: Reading) => Promise<Reading> {
  let offsetMs: number | null = null;
  return async (reading) => {
    offsetMs ??= clock.monoNow() - reading.atMs;
    const atMs = reading.atMs + offsetMs;
    const earlyMs = atMs - clock.monoNow();
    if (earlyMs > 1) await delay(earlyMs, signal);
    return { ...reading, atMs };
  };
}
