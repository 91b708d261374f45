/**
 * Times that a clock gave before it was set. An agent without one says how long its machine had been running (`boot`, `monoMs`), and once
 * the clock is set, what is to be added to that (`clock.synced`): the sum is when it happened. What an agent says last of a start of
 * its machine counts, by (epoch, seq), for all events of that start, so the order of arrival does not matter. One that is taken back
 * (`event.revoked`) counts as if it had never been. What was received stays as it was, and so does the chain over it.
 */
import { fullType, type StoredEvent } from './event.ts';
import { type Upcastable, upcast } from './upcast.ts';

const CLOCK_SYNCED = fullType('clock.synced');
const LATEST_MS = Date.UTC(9999, 11, 31);
/** Longer ones are no events'. */
const MAX_BOOT = 64;

export interface Sync {
  readonly boot: string;
  readonly offsetMs: number;
}

/** What a `clock.synced` says; null for all others, and for what no event can have meant. */
export function syncOf(event: Upcastable): Sync | null {
  if (event.type !== CLOCK_SYNCED) return null;
  const result = upcast(event);
  if (result.type === 'unknown' || result.event.type !== 'clock.synced') return null;
  const { boot, offsetMs } = result.event.data;
  return boot.length <= MAX_BOOT && boot.isWellFormed() && !boot.includes('\0') ? { boot, offsetMs } : null;
}

/** An event that a `clock.synced` can be about. */
export interface Unset {
  readonly boot: string;
  readonly monoMs: number;
}

export function unsetOf({ clock, boot, monoMs }: Pick<StoredEvent, 'clock' | 'boot' | 'monoMs'>): Unset | null {
  return clock === 'unsynced' && boot !== null && monoMs !== null ? { boot, monoMs } : null;
}

/** RFC 3339 in UTC with milliseconds, within what a Date can say in four digits of a year. */
export function timeAt(offsetMs: number, monoMs: number): string {
  return new Date(Math.min(LATEST_MS, Math.max(0, Math.round(offsetMs + monoMs)))).toISOString();
}

/** A time that the same unset clock gave, within the data of a corrected event; what is no time stays as it is. */
export function alsoCorrected(
  text: string,
  { time, originalTime = null }: { readonly time: string; readonly originalTime?: string | null },
): string {
  const ms = Date.parse(text);
  return originalTime === null || Number.isNaN(ms) ? text : timeAt(Date.parse(time) - Date.parse(originalTime), ms);
}
