/**
 * Keeps the counts of central at hand. They are asked for anew when an hour ends and, not more often than once in a while, when
 * something happened that they count; never on a timer alone.
 */
import { type Activity, activityOf, DAYS } from './activity.ts';
import { nowMs } from './ago.ts';
import { getStats } from './api.ts';
import type { CloudEvent } from './types.ts';

const HOUR_MS = 3_600_000;
/** Counting costs central something. */
const AGAIN_MS = 20_000;
/** The first new meow after a quiet time is counted soon. */
const SOON_MS = 1_500;
/** What changes the counts. */
const COUNTED = /^collard\.(meow\.started|clock\.synced|event\.revoked|event\.reassigned)$/;
/** The day before the first one counts in the zone of central, whichever that is. */
const SPAN_MS = (DAYS + 2) * 24 * HOUR_MS;

export interface ActivityFeed {
  reload(): void;
  event(event: CloudEvent): void;
  /** As of a moment; null: now. */
  until(moment: string | null): void;
}

/** `told`: the counts, or null and why there are none. */
export function createActivityFeed(told: (activity: Activity | null, why: string) => void): ActivityFeed {
  let moment: string | null = null;
  let asked = new AbortController();
  /** Something happened that was not counted yet. */
  let isOld = false;
  let againAtMs = Number.NEGATIVE_INFINITY;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let timerAtMs = Number.POSITIVE_INFINITY;
  const later = (waitMs: number) => {
    const atMs = performance.now() + waitMs;
    if (atMs >= timerAtMs) return;
    clearTimeout(timer);
    timerAtMs = atMs;
    timer = setTimeout(load, waitMs);
  };
  const load = () => {
    clearTimeout(timer);
    timerAtMs = Number.POSITIVE_INFINITY;
    asked.abort();
    asked = new AbortController();
    if (isOld) againAtMs = performance.now() + AGAIN_MS;
    isOld = false;
    const { signal } = asked;
    const atMs = moment === null ? nowMs() : Date.parse(moment);
    const [from, to] = [new Date(atMs - SPAN_MS).toISOString(), new Date(atMs).toISOString()];
    getStats({ by: 'hour', type: 'meow.started', from, to }, signal).then(
      (answer) => {
        if (signal.aborted) return;
        told(activityOf(answer, atMs), '');
        // The hours move on.
        if (moment === null) later(HOUR_MS - (atMs % HOUR_MS) + 1_000);
      },
      (error: unknown) => {
        if (signal.aborted) return;
        told(null, error instanceof Error ? error.message : String(error));
        if (moment === null) later(AGAIN_MS);
      },
    );
  };
  return {
    reload: load,
    event({ type }) {
      if (moment !== null || !COUNTED.test(type)) return;
      isOld = true;
      later(Math.max(SOON_MS, againAtMs - performance.now()));
    },
    until(now) {
      if (now === moment) return;
      moment = now;
      load();
    },
  };
}
