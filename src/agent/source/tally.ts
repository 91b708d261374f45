/** What a source has given so far, counted for health. */
import type { SourceHealth } from '../../contract/message.ts';

export interface Tally {
  opened(): void;
  failed(reason: string): void;
  ended(): void;
  /** `wallTime` of the newest of them. */
  read(readings: number, wallTime: string): void;
  discarded(reason: string, count: number): void;
  health(): SourceHealth;
}

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
