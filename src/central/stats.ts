/** How many events each cat had by hour or day, and how long its meows were: counted from the events themselves. */
import { setImmediate } from 'node:timers/promises';
import { createCalendar } from './models/calendar.ts';
import { createTally, type StatsRow, type Tally } from './models/stats.ts';
import { createReadShare } from './read-share.ts';
import type { EventFilter, ReadStore, Store } from './store/store.ts';

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

/**
 * `segments`: the folder of those that are counted, too. Rejects with code BAD_TIME_ZONE, CAT_NOT_FOUND, SEGMENT_DAMAGED, or
 * TOO_MUCH_HISTORY beyond MAX_STATS_EVENTS.
 */
export async function statsOf(
  store: StatsStore,
  { by, tz, catId, types, ...span }: StatsQuestion,
  now: Date,
  segments?: string,
  onShare: (share: number) => void = () => undefined,
): Promise<Stats> {
  const calendar = calendarOf(by, tz);
  const to = span.to ?? now.toISOString();
  const from = span.from ?? new Date(calendar.spanOf(Date.parse(to) - DEFAULT_DAYS[by] * DAY_MS).fromMs).toISOString();
  const cats = (await store.cats(now)).filter(({ id }) => catId === undefined || id === catId);
  if (catId !== undefined && cats.length === 0) throw failure('CAT_NOT_FOUND', 'cat not found');
  const tallies = new Map(cats.map(({ id }) => [id, createTally(id, calendar)]));
  let counted = 0;
  const count = (pageEvents: number) => {
    counted += pageEvents;
    if (counted <= MAX_STATS_EVENTS) return;
    throw failure('TOO_MUCH_HISTORY', `more than ${MAX_STATS_EVENTS} events from ${from} to ${to}: ask for less`);
  };
  const filter = { from, to, ...(types === undefined ? {} : { types }) };
  const read: Reading = { filter: { ...filter, from, to }, tallies, count, onShare };
  if (segments === undefined) await countRows(store, read);
  else await countWhole(store, segments, read);
  const rows = cats.flatMap(({ id, name }) => (tallies.get(id)?.rows() ?? []).map((row) => ({ ...row, name })));
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

type StatsStore = Pick<ReadStore, 'oldest' | 'newest' | 'cats' | 'counts' | 'whole'> & Pick<Store, 'segments'>;

interface Reading {
  readonly filter: EventFilter & { readonly from: string; readonly to: string };
  readonly tallies: ReadonlyMap<number, Tally>;
  readonly count: (events: number) => void;
  readonly onShare: (share: number) => void;
}

/** Cat by cat, by their indexes. */
async function countRows(store: StatsStore, { filter, tallies, count, onShare }: Reading): Promise<void> {
  const [fromMs, toMs] = [Date.parse(filter.from), Date.parse(filter.to)];
  let done = 0;
  for (const [catId, tally] of tallies) {
    for (let after: string | undefined; ; ) {
      const question = { ...filter, catId, limit: EVENTS_A_READ };
      const page = await store.oldest(after === undefined ? question : { ...question, after });
      for (const event of page.events) tally.add(event);
      count(page.events.length);
      if (page.events.length < EVENTS_A_READ) break;
      after = page.next;
      const atMs = Date.parse(page.events.at(-1)?.time ?? filter.from);
      onShare((done + (atMs - fromMs) / (toMs - fromMs)) / tallies.size);
      await setImmediate();
    }
    done += 1;
  }
}

/** Everything once: segments have no index of cats. */
async function countWhole(
  store: StatsStore,
  segments: string,
  { filter, tallies, count, onShare }: Reading,
): Promise<void> {
  const share = await createReadShare(store, filter);
  const whole = await store.whole(segments, filter, null);
  try {
    for (;;) {
      const page = await whole.next(EVENTS_A_READ);
      if (page.length === 0) return;
      for (const event of page) {
        const cats = whole.cats(event).filter((id) => tallies.has(id));
        count(cats.length);
        for (const id of cats) tallies.get(id)?.add(event);
      }
      share.given(page.at(-1)?.time);
      onShare(share.of(whole.place()));
      await setImmediate();
    }
  } finally {
    await whole.close();
  }
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
