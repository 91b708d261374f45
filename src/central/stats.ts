/** How many events each cat had by hour or day, and how long its meows were: counted from the events themselves. */
import { setImmediate } from 'node:timers/promises';
import { createCalendar } from './models/calendar.ts';
import { createTally, type StatsRow } from './models/stats.ts';
import type { EventFilter, ReadStore } from './store/store.ts';

/** The most events that are counted for one answer. */
export const MAX_STATS_EVENTS = 1_000_000;
/** Where no time is named: from the beginning of the day or hour so many ago. */
const DEFAULT_DAYS = { hour: 7, day: 31 } as const;
const DAY_MS = 86_400_000;
const EVENTS_A_READ = 1_000;

export interface StatsQuestion extends Pick<EventFilter, 'catId' | 'types' | 'from' | 'to'> {
  readonly by: 'hour' | 'day';
  /** IANA name; that of this machine where it is absent. */
  readonly tz?: string;
}

export interface Stats {
  readonly by: 'hour' | 'day';
  readonly tz: string;
  readonly from: string;
  readonly to: string;
  /** By time, then cat. Only events in [from, to) are counted, also at the edges. */
  readonly rows: readonly (StatsRow & { readonly name: string })[];
}

/** Rejects with code BAD_TIME_ZONE, CAT_NOT_FOUND, or TOO_MUCH_HISTORY beyond MAX_STATS_EVENTS. */
export async function statsOf(
  store: Pick<ReadStore, 'oldest' | 'cats'>,
  { by, tz, catId, types, ...span }: StatsQuestion,
  now: Date,
): Promise<Stats> {
  const calendar = calendarOf(by, tz);
  const to = span.to ?? now.toISOString();
  const from = span.from ?? new Date(calendar.spanOf(Date.parse(to) - DEFAULT_DAYS[by] * DAY_MS).fromMs).toISOString();
  const cats = (await store.cats(now)).filter(({ id }) => catId === undefined || id === catId);
  if (catId !== undefined && cats.length === 0) throw failure('CAT_NOT_FOUND', 'cat not found');
  const rows: (StatsRow & { readonly name: string })[] = [];
  let counted = 0;
  for (const { id, name } of cats) {
    const tally = createTally(id, calendar);
    const filter = { catId: id, from, to, limit: EVENTS_A_READ, ...(types === undefined ? {} : { types }) };
    for (let after: string | undefined; ; ) {
      const page = await store.oldest(after === undefined ? filter : { ...filter, after });
      for (const event of page.events) tally.add(event);
      counted += page.events.length;
      if (counted > MAX_STATS_EVENTS) {
        throw failure('TOO_MUCH_HISTORY', `more than ${MAX_STATS_EVENTS} events from ${from} to ${to}: ask for less`);
      }
      if (page.events.length < EVENTS_A_READ) break;
      after = page.next;
      await setImmediate();
    }
    rows.push(...tally.rows().map((row) => ({ ...row, name })));
  }
  // An hour that comes twice sorts by its moment, not by what the clock on the wall shows.
  const moment = (row: StatsRow) => Date.parse(row.from);
  return {
    by,
    tz: calendar.timeZone,
    from,
    to,
    rows: rows.sort((a, b) => moment(a) - moment(b) || a.catId - b.catId),
  };
}

function calendarOf(by: 'hour' | 'day', tz: string | undefined) {
  try {
    return createCalendar(by, tz);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw failure('BAD_TIME_ZONE', `"${tz ?? ''}" is no time zone: name one such as Europe/Berlin`);
  }
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
