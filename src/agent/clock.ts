/**
 * The agent's clock: wall time, monotonic time, and whether wall time can be trusted (a Pi has no clock of its own). Stands
 * at the side's root because ingest, log and health all ask it, and it is no part of any of them.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { ClockQuality, StoredEvent } from '../contract/event.ts';

export interface Clock {
  /** Milliseconds since 1970, by the system's clock as it stands. */
  wallNow(): number;
  /** Milliseconds since boot: never jumps. */
  monoNow(): number;
  quality(): ClockQuality;
  /** The id of this boot. */
  readonly boot: string;
}

export type EventTime = Pick<StoredEvent, 'time' | 'clock' | 'boot' | 'monoMs'>;

/** Before this year the clock has not been set: this program is younger. */
const BUILD_YEAR = 2026;
/** After this year it is no clock either: broken time servers have given the years of an overflow. */
const LAST_YEAR = BUILD_YEAR + 20;
const TIMESYNC = '/run/systemd/timesync';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** systemd-timesyncd says when it has set the clock; where another program keeps the time, a plausible year has to do. */
export function openClock(timesync: string = TIMESYNC): Clock {
  return {
    wallNow: () => Date.now(),
    monoNow: () => Number(process.hrtime.bigint()) / 1e6,
    quality() {
      const year = new Date(Date.now()).getUTCFullYear();
      if (year < BUILD_YEAR || year > LAST_YEAR) return 'unsynced';
      return existsSync(timesync) && !existsSync(`${timesync}/synchronized`) ? 'unsynced' : 'synced';
    },
    boot: bootIdOf(process.env.BOOT_ID) ?? readBootId(),
  };
}

/** The time fields of an event that happened at `monoMs` since boot. */
export function eventTime(clock: Clock, monoMs: number): EventTime {
  const quality = clock.quality();
  const time = isoTime(clock.wallNow() - (clock.monoNow() - monoMs));
  return quality === 'synced'
    ? { time, clock: quality, boot: null, monoMs: null }
    : { time, clock: quality, boot: clock.boot, monoMs: Math.round(monoMs) };
}

/** RFC 3339 in UTC with milliseconds, within what a Date can say in four digits of a year. */
export function isoTime(wallMs: number): string {
  const latest = Date.UTC(9999, 11, 31);
  return new Date(Math.min(latest, Math.max(0, Math.round(wallMs)))).toISOString();
}

/** As systemd writes it (`%b`), for units that hide /proc/sys; null where it is none. */
export function bootIdOf(text: string | undefined): string | null {
  const [, ...parts] = /^(.{8})(.{4})(.{4})(.{4})(.{12})$/.exec((text ?? '').replaceAll('-', '')) ?? [];
  return parts.length > 0 && parts.every((part) => /^[0-9a-f]+$/.test(part)) ? parts.join('-') : null;
}

function readBootId(): string {
  try {
    return readFileSync(BOOT_ID, 'utf8').trim();
  } catch {
    // A sandbox hides it: then each start counts as a boot of its own, which is true of nothing but harms nothing.
    return randomUUID();
  }
}
