/** What a cat did in a span of days, for people who judge it. Pure: its events go in by time, one report comes out. */
import { alsoCorrected } from '../../contract/clock.ts';
import { upcast } from '../../contract/upcast.ts';
import type { CentralEvent } from '../store/store.ts';
import type { Calendar, Span } from './calendar.ts';

const HOUR_MS = 3_600_000;
/** Bursts that are told one by one. */
export const MAX_BURSTS = 10;
/** Without any event for so long, the collar or the house may have been off: said, since nobody knows. */
export const QUIET_MS = 12 * HOUR_MS;

export interface Shakes {
  readonly meows: number;
  readonly meowMs: number;
}

export interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface DayOfReport extends Shakes, Span {
  /** Meows that began in each of the 24 hours of the clock; null where the hour is none of the span. */
  readonly hours: readonly (number | null)[];
  /** How long the collar was known not to be heard: in all, and in each of the hours. */
  readonly unheardMs: number;
  readonly unheardHours: readonly number[];
}

export interface Burst {
  /** When it began. */
  readonly atMs: number;
  readonly durationMs: number;
  readonly peakG: number;
  readonly place: string | null;
  /** A person gave it to this cat. */
  readonly isGiven: boolean;
}

export interface PlaceOfReport {
  /** Null: not known, or not heard. */
  readonly place: string | null;
  readonly ms: number;
  readonly meows: number;
}

export interface CatReport {
  readonly days: readonly DayOfReport[];
  readonly total: Shakes;
  /** Longest first. */
  readonly bursts: readonly Burst[];
  readonly places: readonly PlaceOfReport[];
  readonly moves: number;
  /** The collar was not heard, as its agent said. */
  readonly unheard: readonly Stretch[];
  /** Nothing came of the cat for QUIET_MS, though nobody said why. */
  readonly quiet: readonly Stretch[];
  /** Events whose time a clock gave that was not set, and of which nobody knows it better. */
  readonly unsynced: number;
  /** Events whose time was corrected, since the clock was set later. */
  readonly retimed: number;
}

export interface ReportStart {
  readonly span: Stretch;
  readonly calendar: Calendar;
  /** As it was at the beginning. */
  readonly place: string | null;
  readonly isSilent: boolean;
}

export interface ReportFold {
  add(event: CentralEvent): void;
  end(): CatReport;
}

export function createReport({ span, calendar, ...start }: ReportStart): ReportFold {
  const bursts: Burst[] = [];
  const stays: (Stretch & { readonly place: string | null })[] = [];
  const unheard: Stretch[] = [];
  const quiet: Stretch[] = [];
  let { place } = start;
  let placeSinceMs = span.fromMs;
  let silentSinceMs = start.isSilent ? span.fromMs : null;
  let lastMs = span.fromMs;
  let moves = 0;
  let unsynced = 0;
  let retimed = 0;
  const hear = (atMs: number) => {
    if (silentSinceMs !== null && atMs > silentSinceMs) unheard.push({ fromMs: silentSinceMs, toMs: atMs });
    else if (silentSinceMs === null && atMs - lastMs >= QUIET_MS) quiet.push({ fromMs: lastMs, toMs: atMs });
    silentSinceMs = null;
    lastMs = Math.max(lastMs, atMs);
  };
  const move = (atMs: number, to: string | null) => {
    if (atMs > placeSinceMs) stays.push({ fromMs: placeSinceMs, toMs: atMs, place });
    placeSinceMs = Math.max(placeSinceMs, atMs);
    place = to;
  };
  return {
    add(stored) {
      const result = upcast(stored);
      if (stored.revoked || result.type === 'unknown') return;
      const { event } = result;
      const atMs = Date.parse(stored.time);
      const { originalTime = null } = stored;
      if (originalTime !== null) retimed += 1;
      else if (stored.clock === 'unsynced') unsynced += 1;
      if (event.type === 'collar.silent') {
        const lastSeen = Date.parse(alsoCorrected(event.data.lastSeen, stored));
        const sinceMs = Math.min(atMs, Math.max(span.fromMs, lastSeen || atMs));
        hear(sinceMs);
        silentSinceMs = sinceMs;
        return;
      }
      hear(atMs);
      if (event.type === 'cat.moved') {
        moves += 1;
        move(atMs, event.data.to);
      } else if (event.type === 'meow.ended') {
        const { durationMs, peakG, place: where } = event.data;
        const isGiven = stored.reassignedTo !== null;
        bursts.push({ atMs: atMs - durationMs, durationMs, peakG, place: where ?? place, isGiven });
      }
    },
    end() {
      hear(span.toMs);
      move(span.toMs, null);
      return {
        days: daysOf(span, calendar, bursts, unheard),
        total: shakesOf(bursts),
        bursts: [...bursts].sort((a, b) => b.durationMs - a.durationMs || a.atMs - b.atMs).slice(0, MAX_BURSTS),
        places: placesOf(stays, bursts, unheard),
        moves,
        unheard,
        quiet,
        unsynced,
        retimed,
      };
    },
  };
}

function shakesOf(bursts: readonly Burst[]): Shakes {
  return { meows: bursts.length, meowMs: bursts.reduce((sum, { durationMs }) => sum + durationMs, 0) };
}

/** Every day of the span, also one without a shake. */
function daysOf(
  span: Stretch,
  calendar: Calendar,
  bursts: readonly Burst[],
  unheard: readonly Stretch[],
): readonly DayOfReport[] {
  const days: DayOfReport[] = [];
  for (let at = span.fromMs; at < span.toMs; ) {
    const day = calendar.spanOf(at);
    const mine = bursts.filter(({ atMs }) => atMs >= day.fromMs && atMs < day.toMs);
    days.push({
      ...day,
      ...shakesOf(mine),
      unheardMs: overlap(day, unheard),
      ...hoursOf(day, span, calendar, mine, unheard),
    });
    at = day.toMs;
  }
  return days;
}

/** Of a day of 23 hours one is none of it, and of one of 25 two are one. */
function hoursOf(
  day: Stretch,
  span: Stretch,
  calendar: Calendar,
  bursts: readonly Burst[],
  unheard: readonly Stretch[],
): Pick<DayOfReport, 'hours' | 'unheardHours'> {
  const hours: (number | null)[] = Array.from({ length: 24 }, () => null);
  const unheardHours = Array.from({ length: 24 }, () => 0);
  const endMs = Math.min(day.toMs, span.toMs);
  for (let fromMs = day.fromMs; fromMs < endMs; fromMs += HOUR_MS) {
    if (fromMs + HOUR_MS <= span.fromMs) continue;
    const hour = calendar.hourOf(fromMs);
    hours[hour] ??= 0;
    unheardHours[hour] = (unheardHours[hour] ?? 0) + overlap({ fromMs, toMs: fromMs + HOUR_MS }, unheard);
  }
  for (const { atMs } of bursts) {
    const hour = calendar.hourOf(atMs);
    hours[hour] = (hours[hour] ?? 0) + 1;
  }
  return { hours, unheardHours };
}

/** Where it was for longest, first. Not heard is no place: what it was before then proves nothing. */
function placesOf(
  stays: readonly (Stretch & { readonly place: string | null })[],
  bursts: readonly Burst[],
  unheard: readonly Stretch[],
): readonly PlaceOfReport[] {
  const places = new Map<string | null, { ms: number; meows: number }>();
  const at = (place: string | null) => {
    const known = places.get(place) ?? { ms: 0, meows: 0 };
    places.set(place, known);
    return known;
  };
  for (const stay of stays) {
    const lost = overlap(stay, unheard);
    at(stay.place).ms += stay.toMs - stay.fromMs - lost;
    if (lost > 0) at(null).ms += lost;
  }
  for (const { place } of bursts) at(place).meows += 1;
  return [...places]
    .map(([place, sums]) => ({ place, ...sums }))
    .sort((a, b) => Number(a.place === null) - Number(b.place === null) || b.ms - a.ms);
}

/** How much of `span` lies in any of `stretches`, which do not overlap. */
function overlap(span: Stretch, stretches: readonly Stretch[]): number {
  const parts = stretches.map(({ fromMs, toMs }) => Math.min(toMs, span.toMs) - Math.max(fromMs, span.fromMs));
  return parts.reduce((sum, ms) => sum + Math.max(0, ms), 0);
}
