/**
 * The last step of ingest: events go to the log in groups, one flush each. A flush writes whole blocks however few events are in it, so
 * that under lasting load the card lives by how few they are; a lone event and a short flurry of them are flushed at once.
 */
import type { NewEvent } from '../contract/event.ts';
import type { Queue } from '../lib/queue.ts';
import type { IngestLog } from './log/event-log.ts';
import { codeOf, logError, messageOf } from './log/log-error.ts';
import { whyNotStorable } from './log/rows.ts';

/** Events of one flush at most. */
export const GROUP_EVENTS = 2_000;
/** So many do not wait for more: what a flush costs is little beside what they take themselves. */
const ENOUGH_EVENTS = 1_000;
/** Flushes in a row that nothing is waited for. One of them is regained in each `groupMs`, and with each `ENOUGH_EVENTS`. */
export const FLURRY_FLUSHES = 20;

export interface Pace {
  /** How long what is there may wait for more before it is flushed. */
  waitMs(nowMs: number): number;
  flushed(nowMs: number, events: number): void;
}

/** Times are monotonic. Over a longer time there is one flush in `groupMs`, and one for a thousand events. */
export function createPace(groupMs: number): Pace {
  let left = FLURRY_FLUSHES;
  let at = Number.NEGATIVE_INFINITY;
  const regain = (nowMs: number) => {
    if (groupMs > 0) left = Math.min(FLURRY_FLUSHES, left + (nowMs - at) / groupMs);
    at = nowMs;
  };
  return {
    waitMs(nowMs) {
      regain(nowMs);
      return left >= 1 ? 0 : (1 - left) * groupMs;
    },
    flushed(nowMs, events) {
      regain(nowMs);
      // The end of a burst need not wait: what many share costs each of them little.
      if (groupMs > 0) left = Math.min(FLURRY_FLUSHES, Math.max(0, left - 1 + events / ENOUGH_EVENTS));
    },
  };
}

/** Events that were detected and are not on the card yet; those that are being written too. */
export interface Unwritten {
  events: number;
}

interface Parts {
  readonly log: Pick<IngestLog, 'append'>;
  readonly clock: { readonly monoNow: () => number };
  readonly groupMs: number;
  /** What is written is taken off. */
  readonly unwritten: Unwritten;
  readonly logger: { readonly warn: (fields: object, message: string) => void };
}

/** Appends until the queue is closed and empty: what was detected is written, also while stopping. Rejects with the log's error. */
export async function appendGroups(pending: Queue<NewEvent>, parts: Parts): Promise<void> {
  const { log, clock, groupMs, unwritten, logger } = parts;
  const pace = createPace(groupMs);
  // Never aborted: the end is that the queue is closed.
  const { signal } = new AbortController();
  while (true) {
    const first = await pending.takeUpTo(1, signal);
    if (first.length === 0) return;
    await pending.filled(ENOUGH_EVENTS - 1, pace.waitMs(clock.monoNow()), signal);
    const rest = pending.size === 0 ? [] : await pending.takeUpTo(GROUP_EVENTS - 1, signal);
    const group = [...first, ...rest];
    await appendStorable(log, group, logger);
    unwritten.events -= group.length;
    pace.flushed(clock.monoNow(), group.length);
  }
}

/** The log's error, with how many events end with it. */
export function withUnwritten(error: unknown, { events }: Unwritten): unknown {
  const code = codeOf(error);
  if (events === 0 || code === '') return error;
  return logError(code, `${messageOf(error)}; ${events} events that waited for it had not been written`, error);
}

/** The log looks at each event; only of a group that it refuses we look which. */
async function appendStorable(log: Parts['log'], events: readonly NewEvent[], logger: Parts['logger']): Promise<void> {
  try {
    await log.append(events);
  } catch (error) {
    if (codeOf(error) !== 'BAD_EVENT') throw error;
    const storable = events.filter((event) => {
      const reason = whyNotStorable(event);
      // It would block all that comes after it: central would never take it.
      if (reason !== null) logger.warn({ type: event.type, reason }, 'an event cannot be stored');
      return reason === null;
    });
    await log.append(storable);
  }
}
