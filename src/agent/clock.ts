/**
 * The agent's clock: wall time, monotonic time, and whether wall time can be trusted (a Pi has no clock of its own). Stands
 * at the side's root because ingest, log and health all ask it, and it is no part of any of them.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { ClockQuality, StoredEvent } from '../contract/event.ts';
import { delay } from '../lib/wait.ts';

export interface Clock {
  /** Milliseconds since 1970, by the system's clock as it stands. */
  wallNow(): number;
  /** Milliseconds since boot: never jumps. */
  monoNow(): number;
  quality(): ClockQuality;
  /** The id of this boot. */
  readonly boot: string;
  /** Asks the system once whether it is set; absent where nobody needs to be asked. */
  readonly look?: (signal: AbortSignal) => Promise<void>;
  /** Asks from time to time, until it is set or nobody can tell. */
  readonly watch?: (signal: AbortSignal) => Promise<void>;
}

/** Whether the system's clock is kept by somebody; null where that cannot be told. */
export type AskSynchronised = (signal: AbortSignal) => Promise<boolean | null>;

export type EventTime = Pick<StoredEvent, 'time' | 'clock' | 'boot' | 'monoMs'>;

/** Before this year the clock has not been set: this program is younger. */
const BUILD_YEAR = 2026;
/** After these years it is no clock either: broken time servers have given the years of an overflow. */
const YEARS = 21;
const [BUILT_MS, OVER_MS] = [Date.UTC(BUILD_YEAR, 0), Date.UTC(BUILD_YEAR + YEARS, 0)];
const LATEST_MS = Date.UTC(9999, 11, 31);
/** timedatectl answers through the bus, and starts its service for it. */
const ASK_MS = 5_000;
const ASK_EVERY_MS = 60_000;
/** What the file system says of it holds for so long: events may be thousands a second. */
const LOOK_MS = 1_000;
const TIMESYNC = '/run/systemd/timesync';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/**
 * systemd-timesyncd says when it has set the clock. Where another program keeps the time (chrony, ntpd) the kernel knows, and
 * timedatectl tells; where that does not work, a plausible year has to do. The kernel itself may not be asked from inside the sandbox.
 */
export function openClock(timesync: string = TIMESYNC, ask: AskSynchronised = askTimedatectl): Required<Clock> {
  let told: boolean | null = null;
  let seen: { readonly atMs: number; readonly isSet: boolean | null } | null = null;
  /** Both count from CLOCK_MONOTONIC; this one makes no bigint. */
  const originMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();
  /** Null where timesyncd does not run. */
  const bySystemd = (): boolean | null => {
    const atMs = performance.now();
    if (seen === null || atMs - seen.atMs >= LOOK_MS) {
      // Its folder is gone while it starts anew: what it said last holds until it speaks again.
      const isSet = existsSync(timesync) ? existsSync(`${timesync}/synchronized`) : (seen?.isSet ?? null);
      seen = { atMs, isSet };
    }
    return seen.isSet;
  };
  const look = async (signal: AbortSignal) => {
    if (!existsSync(timesync)) told = await ask(signal);
  };
  return {
    wallNow: () => Date.now(),
    monoNow: () => originMs + performance.now(),
    quality() {
      const now = Date.now();
      if (now < BUILT_MS || now >= OVER_MS) return 'unsynced';
      return (bySystemd() ?? told ?? true) ? 'synced' : 'unsynced';
    },
    boot: bootIdOf(process.env.BOOT_ID) ?? readBootId(),
    look,
    async watch(signal) {
      while (told === false && !signal.aborted) {
        await delay(ASK_EVERY_MS, signal);
        if (!signal.aborted) await look(signal);
      }
    },
  };
}

/** `timedatectl show` gives the kernel's flag, which every program that keeps the time sets. */
export const askTimedatectl: AskSynchronised = (signal) =>
  new Promise((resolve) => {
    const args = ['show', '-p', 'NTPSynchronized', '--value'];
    // It would tell the service manager of its own end, in our name.
    const env = { ...process.env, NOTIFY_SOCKET: undefined };
    execFile('timedatectl', args, { timeout: ASK_MS, signal, env }, (error, stdout) => {
      const said = error === null ? stdout.trim() : '';
      resolve(said === 'yes' ? true : said === 'no' ? false : null);
    });
  });

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
  return new Date(Math.min(LATEST_MS, Math.max(0, Math.round(wallMs)))).toISOString();
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
