/** A report of one cat: its events of a span, what is known to be missing, and what a person corrected. Reads the store and segments. */
import { setImmediate } from 'node:timers/promises';
import { fullType, shortType } from '../contract/event.ts';
import { upcast } from '../contract/upcast.ts';
import { createCalendar } from './models/calendar.ts';
import { type CatReport, createReport, type Stretch } from './models/report.ts';
import { pastCats } from './past-cats.ts';
import { createReadShare } from './read-share.ts';
import {
  type Awaited,
  awaitedOf,
  eachRow,
  filterOf,
  type Loss,
  lossesOf,
  MAX_TOLD,
  type Outage,
  outagesOf,
  type ReadEvents,
} from './report-gaps.ts';
import type { CatRow, CentralEvent, ReadStore, Store as WholeStore } from './store/store.ts';

/** The most events of one report. */
export const MAX_REPORT_EVENTS = 500_000;
/** What is usual is the mean of so many days before. */
export const USUAL_DAYS = 28;
const DAY_MS = 86_400_000;
const EVENTS_A_READ = 1_000;
const OF_CAT = [
  'cat.moved',
  'meow.ended',
  'meow.started',
  'collar.silent',
  'collar.heard',
  'collar.sighted',
  'battery.low',
  'collar.assigned',
];

export interface ReportQuestion extends Stretch {
  readonly catId: number;
  /** IANA name; that of this machine where it is absent. */
  readonly tz?: string | undefined;
}

export interface Corrected {
  readonly atMs: number;
  readonly type: string;
  /** It was taken back, given to another cat, or given to this one. */
  readonly how: 'taken back' | 'given away' | 'given here';
  readonly reason: string;
}

export interface Report extends CatReport, Stretch {
  readonly cat: Pick<CatRow, 'id' | 'name' | 'collar'>;
  readonly tz: string;
  readonly madeMs: number;
  /** Of the days before; null where nothing is known of them. */
  readonly usual: { readonly days: number; readonly meowsADay: number } | null;
  readonly outages: readonly Outage[];
  readonly losses: readonly Loss[];
  readonly awaited: readonly Awaited[];
  readonly corrected: readonly Corrected[];
  readonly alerts: readonly { readonly atMs: number; readonly text: string }[];
}

type Store = Pick<
  ReadStore,
  'agents' | 'cats' | 'catsAt' | 'correctedEvents' | 'counts' | 'event' | 'horizon' | 'newest' | 'oldest' | 'whole'
> &
  Pick<WholeStore, 'segments'>;

/** Rejects with code BAD_TIME_ZONE, CAT_NOT_FOUND, EXPIRED, TOO_MUCH_HISTORY or SEGMENT_DAMAGED. */
export async function reportOf(
  store: Store,
  question: ReportQuestion,
  now: Date,
  segments?: string,
  onShare: (share: number) => void = () => undefined,
): Promise<Report> {
  const { catId, fromMs, toMs, tz } = question;
  const calendar = calendarOf(tz);
  const cat = (await store.cats(now)).find(({ id }) => id === catId);
  if (cat === undefined) throw failure('CAT_NOT_FOUND', 'cat not found');
  const span = { fromMs, toMs };
  let [reads, within] = [0, 0];
  const watch: Watch = {
    share(share) {
      // Where no beginning is asked for, nothing is known of it.
      if (Number.isFinite(share)) within = Math.max(within, Math.min(1, share));
      onShare((reads + within) / READS);
    },
    end() {
      reads = Math.min(READS - 1, reads + 1);
      within = 0;
    },
  };
  const reader = await readerOf(store, catId, segments, watch);
  const ofAgents = await readerOf(store, null, segments, watch);
  const before = (await pastCats(store, new Date(fromMs), segments)).find(({ id }) => id === catId);
  const fold = createReport({
    span,
    calendar,
    place: before?.location ?? null,
    isSilent: before?.silent ?? false,
  });
  await reader(filterOf(span, OF_CAT), (event) => fold.add(event));
  const alerts: { atMs: number; text: string }[] = [];
  await reader(filterOf(span, ['alert.raised']), (event) => alerts.push(...alertOf(event)));
  return {
    ...span,
    ...fold.end(),
    cat: { id: cat.id, name: cat.name, collar: cat.collar },
    tz: calendar.timeZone,
    madeMs: now.getTime(),
    usual: await usualOf(reader, span, segments === undefined ? await store.horizon() : ''),
    outages: await outagesOf(ofAgents, span),
    losses: await lossesOf(ofAgents, store, span),
    awaited: await awaitedOf(store),
    corrected: (await store.correctedEvents(catId, MAX_TOLD))
      .map((event) => correctedOf(event, catId))
      .filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
      .reverse(),
    alerts: alerts.slice(-MAX_TOLD),
  };
}

/** How far it is, of the reads of a report. */
interface Watch {
  share(share: number): void;
  end(): void;
}
/** What happened, alerts, what is usual, outages and losses. */
const READS = 5;

/** By time; from the rows where all lies in them, else through the segments, whose epochs come one after the other. */
async function readerOf(
  store: Store,
  catId: number | null,
  segments: string | undefined,
  watch: Watch,
): Promise<ReadEvents> {
  const horizon = await store.horizon();
  let read = 0;
  const count = (events: number) => {
    read += events;
    if (read > MAX_REPORT_EVENTS)
      throw failure('TOO_MUCH_HISTORY', `more than ${MAX_REPORT_EVENTS} events: ask for fewer days`);
  };
  return async (filter, take) => {
    if (horizon === '' || (filter.from ?? '') >= horizon || segments === undefined) {
      const [fromMs, toMs] = [Date.parse(filter.from ?? ''), Date.parse(filter.to ?? '')];
      let last = filter.from ?? '';
      const counted = (events: number) => {
        count(events);
        watch.share((Date.parse(last) - fromMs) / (toMs - fromMs));
      };
      await eachRow(store, catId === null ? filter : { ...filter, catId }, counted, (event) => {
        last = event.time;
        take(event);
      });
      return watch.end();
    }
    const events: CentralEvent[] = [];
    const share = await createReadShare(store, filter);
    const whole = await store.whole(segments, filter, null);
    try {
      for (;;) {
        const page = await whole.next(EVENTS_A_READ);
        if (page.length === 0) break;
        const mine = catId === null ? page : page.filter((event) => whole.cats(event).includes(catId));
        count(mine.length);
        events.push(...mine);
        share.given(page.at(-1)?.time);
        watch.share(share.of(whole.place()));
        await setImmediate();
      }
    } finally {
      await whole.close();
    }
    for (const event of events.sort((a, b) => (a.time < b.time ? -1 : Number(a.time > b.time)))) take(event);
    watch.end();
  };
}

/** Of as many of the days before as there is anything of. */
async function usualOf(read: ReadEvents, { fromMs: endMs }: Stretch, horizon: string): Promise<Report['usual']> {
  let firstMs: number | null = null;
  let meows = 0;
  const meow = fullType('meow.ended');
  const fromMs = Math.max(endMs - USUAL_DAYS * DAY_MS, horizon === '' ? 0 : Date.parse(horizon));
  await read(filterOf({ fromMs, toMs: endMs }, OF_CAT), (event) => {
    firstMs ??= Date.parse(event.time);
    if (event.type === meow && !event.revoked) meows += 1;
  });
  const days = firstMs === null ? 0 : Math.round((endMs - firstMs) / DAY_MS);
  return days < 1 ? null : { days, meowsADay: meows / days };
}

function correctedOf(event: CentralEvent, catId: number): Corrected {
  const how = event.revoked ? 'taken back' : event.reassignedTo === catId ? 'given here' : 'given away';
  return { atMs: Date.parse(event.time), type: shortType(event.type), how, reason: event.correction?.reason ?? '' };
}

function alertOf(stored: CentralEvent): readonly { readonly atMs: number; readonly text: string }[] {
  const result = upcast(stored);
  if (stored.revoked || result.type === 'unknown' || result.event.type !== 'alert.raised') return [];
  return [{ atMs: Date.parse(stored.time), text: result.event.data.text }];
}

function calendarOf(tz: string | undefined) {
  try {
    return createCalendar('day', tz);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw failure('BAD_TIME_ZONE', `"${tz ?? ''}" is no time zone: name one such as Europe/Berlin`);
  }
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
