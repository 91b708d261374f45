/** Hours and days as people of a time zone live them: a day may have 23 or 25 hours, and an hour may come twice. */

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  /** RFC 3339 with the offset of that moment: `2026-10-25T00:00:00+02:00`. */
  readonly from: string;
  readonly to: string;
}

export interface Calendar {
  /** The hour or day that a moment lies in. */
  spanOf(ms: number): Span;
  /** The hour that a clock on the wall shows, 0 to 23. */
  hourOf(ms: number): number;
  /** The name of the zone as the machine knows it. */
  readonly timeZone: string;
}

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;
/** No clock on earth is further from UTC. */
const MAX_OFFSET = 26 * HOUR;

/** `timeZone` is an IANA name; undefined: that of this machine. Throws RangeError where there is none of this name. */
export function createCalendar(by: 'hour' | 'day', timeZone: string | undefined): Calendar {
  const format = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
    ...(timeZone === undefined ? {} : { timeZone }),
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const offsetAt = (ms: number) => offsetOf(format, ms);
  const text = (ms: number) => withOffset(ms, offsetAt(ms));
  const find = by === 'day' ? dayOf : hourOf;
  let last: Span = { fromMs: 0, toMs: 0, from: '', to: '' };
  return {
    timeZone: format.resolvedOptions().timeZone,
    hourOf: (ms) => Math.floor(((((ms + offsetAt(ms)) % DAY) + DAY) % DAY) / HOUR),
    spanOf(ms) {
      if (ms >= last.fromMs && ms < last.toMs) return last;
      const [fromMs, toMs] = find(ms, offsetAt);
      last = { fromMs, toMs, from: text(fromMs), to: text(toMs) };
      return last;
    },
  };
}

type OffsetAt = (ms: number) => number;

/** What a clock on the wall shows, less what one in UTC shows. */
function offsetOf(format: Intl.DateTimeFormat, ms: number): number {
  const second = Math.floor(ms / SECOND) * SECOND;
  const part = new Map(format.formatToParts(second).map(({ type, value }) => [type, Number(value)]));
  const shown = (type: Intl.DateTimeFormatPartTypes) => part.get(type) ?? 0;
  const wall = Date.UTC(
    shown('year'),
    shown('month') - 1,
    shown('day'),
    shown('hour'),
    shown('minute'),
    shown('second'),
  );
  return wall - second;
}

/** From the first moment of its date to the first of the next one, whether or not these are midnights. */
function dayOf(ms: number, offsetAt: OffsetAt): readonly [number, number] {
  const dateAt = (at: number) => Math.floor((at + offsetAt(at)) / DAY);
  const begins = (date: number) => first(date * DAY - MAX_OFFSET, date * DAY + MAX_OFFSET, (at) => dateAt(at) >= date);
  const date = dateAt(ms);
  return [begins(date), begins(date + 1)];
}

/** A full hour on the wall. Where clocks are changed within it, it ends or begins there. */
function hourOf(ms: number, offsetAt: OffsetAt): readonly [number, number] {
  const offset = offsetAt(ms);
  const from = Math.floor((ms + offset) / HOUR) * HOUR - offset;
  const to = from + HOUR;
  return [
    offsetAt(from) === offset ? from : first(from, ms, (at) => offsetAt(at) === offset),
    offsetAt(to - SECOND) === offset ? to : first(ms, to, (at) => offsetAt(at) !== offset),
  ];
}

/** The first second of (low, high] from which on `holds` is true. */
function first(low: number, high: number, holds: (at: number) => boolean): number {
  let below = Math.floor(low / SECOND);
  let above = Math.ceil(high / SECOND);
  while (above - below > 1) {
    const middle = Math.floor((below + above) / 2);
    if (holds(middle * SECOND)) above = middle;
    else below = middle;
  }
  return above * SECOND;
}

function withOffset(ms: number, offset: number): string {
  const wall = new Date(ms + offset).toISOString().slice(0, 19);
  const minutes = Math.round(Math.abs(offset) / 60_000);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${wall}${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
