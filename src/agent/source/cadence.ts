/**
 * How long a port may say nothing, learned from how it speaks. Collars that speak only when they move are silent for hours and
 * well; a port that has not paused for half a second in ten minutes, and then says nothing for ten seconds, is not.
 */

const PAUSE_MS = 500;
const LEARNED_AFTER_MS = 600_000;
const SILENT_AFTER_MS = 10_000;

export interface Cadence {
  /** Bytes came, at this monotonic time. */
  heard(atMs: number): void;
  /** As it speaks now; never more than what is configured. */
  readonly silentAfterMs: number;
}

/** `silentAfterMs`: for a port that pauses, or of which nothing is known yet. */
export function createCadence(silentAfterMs: number): Cadence {
  let since = Number.NaN;
  let last = Number.NaN;
  return {
    heard(atMs) {
      if (!(atMs - last <= PAUSE_MS)) since = atMs;
      last = atMs;
    },
    get silentAfterMs() {
      return last - since >= LEARNED_AFTER_MS ? Math.min(SILENT_AFTER_MS, silentAfterMs) : silentAfterMs;
    },
  };
}
