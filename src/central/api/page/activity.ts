/**
 * What the counts of central say of each cat: its last 24 hours, its last 14 days, and what is usual by this time of day. Pure.
 * Hours and days are those of central's zone, as those of "meows today".
 */
import type { StatsAnswer } from './types.ts';

export const DAYS = 14;
export const HOURS = 24;
/** Of fewer days nobody can say what is usual. */
export const MIN_DAYS = 3;
const HOUR_MS = 3_600_000;

export interface CatActivity {
  /** Meows of each hour of HOURS, the oldest first; the last one is not over. */
  readonly hours: readonly number[];
  /** Meows of each day of DAYS, the oldest first; the last one is not over. */
  readonly days: readonly number[];
  /** The median of the days before, each up to this time of day; null where there are too few. */
  readonly usual: { readonly meows: number; readonly ofDays: number } | null;
}

export interface Activity {
  /** When each hour begins: `07:00`. */
  readonly hours: readonly string[];
  /** `2026-11-20` */
  readonly days: readonly string[];
  /** Of a cat that has none in all that time: zeros. */
  of(catId: number): CatActivity;
}

export function activityOf({ rows, tz }: StatsAnswer, nowMs: number): Activity {
  const now = wallOf(nowMs, tz);
  // An hour that comes twice, when clocks are set back, is one here.
  const hours = Array.from({ length: HOURS }, (_, i) => wallOf(nowMs - (HOURS - 1 - i) * HOUR_MS, tz));
  const days = Array.from({ length: DAYS }, (_, i) => dayBefore(now.day, DAYS - 1 - i));
  const counts = new Map<number, Map<string, number>>();
  for (const { catId, from, events } of rows) {
    const of = counts.get(catId) ?? new Map<string, number>();
    counts.set(catId, of);
    const hour = from.slice(0, 13);
    of.set(hour, (of.get(hour) ?? 0) + events);
  }
  return {
    hours: hours.map(({ hour }) => `${two(hour)}:00`),
    days,
    of(catId) {
      const count = counts.get(catId) ?? new Map<string, number>();
      const at = (day: string, hour: number) => count.get(`${day}T${two(hour)}`) ?? 0;
      return {
        hours: hours.map(({ day, hour }) => at(day, hour)),
        days: days.map((day) => sum(Array.from({ length: HOURS }, (_, hour) => at(day, hour)))),
        usual: usualOf(now, [...count.keys()].sort()[0]?.slice(0, 10), at),
      };
    },
  };
}

interface Wall {
  readonly day: string;
  readonly hour: number;
  readonly minute: number;
}

/** Days before the first meow that is known tell nothing. The hour that runs counts as far as it has run. */
function usualOf(
  { day, hour, minute }: Wall,
  first: string | undefined,
  at: (day: string, hour: number) => number,
): CatActivity['usual'] {
  const before = Array.from({ length: DAYS }, (_, i) => dayBefore(day, i + 1)).filter(
    (one) => first !== undefined && one >= first,
  );
  if (before.length < MIN_DAYS) return null;
  const meows = before.map(
    (one) => sum(Array.from({ length: hour }, (_, i) => at(one, i))) + (at(one, hour) * minute) / 60,
  );
  return { meows: Math.round(median(meows)), ofDays: before.length };
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = 0, high = 0] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return (low + high) / 2;
}

function wallOf(ms: number, timeZone: string): Wall {
  const format = { timeZone, dateStyle: 'short', timeStyle: 'short' } as const;
  // The Swedes write `2026-11-20 07:05`.
  const [day = '', time = ''] = new Date(ms).toLocaleString('sv-SE', format).split(' ');
  const [hour, minute] = time.split(':').map(Number);
  return { day, hour: hour ?? 0, minute: minute ?? 0 };
}

function dayBefore(day: string, days: number): string {
  return new Date(Date.parse(`${day}T12:00:00Z`) - days * HOURS * HOUR_MS).toISOString().slice(0, 10);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
