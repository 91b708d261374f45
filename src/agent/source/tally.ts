/** What a source has given so far, counted for health; and discards told now and then. */
import type { SourceHealth } from '../../contract/message.ts';

export interface Tally {
  opened(): void;
  failed(reason: string): void;
  ended(): void;
  /** `wallTime` of the newest of them. */
  read(readings: number, wallTime: string): void;
  discarded(reason: string, count: number): void;
  /** Without what its decoder counts. */
  health(): Omit<SourceHealth, 'lostSamples'>;
}

/** Discarded bytes are told once per reason in this time; the counters have them all. */
const TELL_EVERY_MS = 60_000;

export function createTally(source: string): Tally {
  let state: SourceHealth['state'] = 'failed';
  let reason: string | null = 'not open yet';
  let readings = 0;
  let lastReading: string | null = null;
  const discarded: Record<string, number> = {};
  return {
    opened() {
      state = 'open';
      reason = null;
    },
    failed(why) {
      state = 'failed';
      reason = why;
    },
    ended() {
      state = 'ended';
      reason = null;
    },
    read(count, wallTime) {
      readings += count;
      if (count > 0) lastReading = wallTime;
    },
    discarded(why, count) {
      discarded[why] = (discarded[why] ?? 0) + count;
    },
    health: () => ({ source, state, reason, readings, discarded: { ...discarded }, lastReading }),
  };
}

/** Counts discards, and tells of each kind once a minute. Reasons are a closed list, so this stays small. */
export function createTeller(
  tally: Tally,
  source: string,
  clock: { monoNow(): number },
  logger: { warn(fields: object, message: string): void },
): (reason: string, count: number, sample: string) => void {
  const toldAt = new Map<string, number>();
  const untold = new Map<string, number>();
  return (reason, count, sample) => {
    tally.discarded(reason, count);
    // Comments, headers and what is of no collar belong to the format.
    if (reason === 'comment' || reason === 'no-reading') return;
    const now = clock.monoNow();
    const sum = (untold.get(reason) ?? 0) + count;
    untold.set(reason, sum);
    if (now - (toldAt.get(reason) ?? Number.NEGATIVE_INFINITY) < TELL_EVERY_MS) return;
    toldAt.set(reason, now);
    untold.set(reason, 0);
    logger.warn({ source, reason, count: sum, sample }, 'discarded what cannot be read');
  };
}
