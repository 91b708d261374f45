import { describe, expect, test } from 'vitest';
import { createCalendar } from '../../../src/central/models/calendar.ts';
import { createReport, MAX_BURSTS, QUIET_MS } from '../../../src/central/models/report.ts';
import type { CentralEvent } from '../../../src/central/store/store.ts';
import { type EventData, type EventType, newEvent } from '../../../src/contract/event.ts';

const HOUR = 3_600_000;
const FROM = Date.parse('2026-11-20T00:00:00Z');
const at = (hours: number) => FROM + hours * HOUR;

function event<T extends EventType>(hours: number, type: T, data: EventData[T], more: Partial<CentralEvent> = {}) {
  const when = { time: new Date(at(hours)).toISOString(), clock: 'synced', boot: null, monoMs: null } as const;
  const stored = { epoch: 'e', seq: 1, agent: 'porch', shard: 0, arrival: 1, position: 1 };
  const free = { revoked: false, reassignedTo: null, correction: null };
  return { ...stored, ...free, ...newEvent(type, 'collar/C1', data, when), ...more } satisfies CentralEvent;
}
const meow = (hours: number, durationMs = 1_000, more: Partial<CentralEvent> = {}) =>
  event(hours, 'meow.ended', { durationMs, peakG: 1.5, readings: 9, place: null }, more);
const move = (hours: number, to: string) => event(hours, 'cat.moved', { from: null, to });
const silent = (hours: number, lastSeen: number) =>
  event(hours, 'collar.silent', { lastSeen: new Date(at(lastSeen)).toISOString() });
const heard = (hours: number) => event(hours, 'collar.heard', { lastSeen: new Date(at(hours)).toISOString() });

function reportOf(
  events: readonly CentralEvent[],
  { days = 2, tz = 'UTC', place = null as string | null, isSilent = false, fromMs = FROM } = {},
) {
  const span = { fromMs, toMs: fromMs + days * 24 * HOUR };
  const fold = createReport({ span, calendar: createCalendar('day', tz), place, isSilent });
  for (const one of events) fold.add(one);
  return fold.end();
}

describe('the days of a report', () => {
  test('are all there, with their hours, also one without a shake', () => {
    const { days, total } = reportOf([meow(1), meow(1.5), meow(23.5, 2_000)], { days: 3 });
    expect(days.map(({ meows, meowMs }) => [meows, meowMs])).toEqual([
      [3, 4_000],
      [0, 0],
      [0, 0],
    ]);
    expect(days[0]?.hours).toEqual(Array.from({ length: 24 }, (_, hour) => ({ 0: 1, 1: 1, 23: 1 })[hour] ?? 0));
    expect(total).toEqual({ meows: 3, meowMs: 4_000 });
  });

  test('tell nothing of hours that are none of the span', () => {
    const { days } = reportOf([], { days: 0.25, fromMs: at(6) });
    expect(days[0]?.hours.map((count) => count !== null)).toEqual(
      Array.from({ length: 24 }, (_, hour) => hour >= 6 && hour < 12),
    );
  });

  test('are those of a time zone, of 25 hours where clocks are set back', () => {
    const fromMs = Date.parse('2026-10-24T22:00:00Z');
    const hours = (fromMs - FROM) / HOUR;
    const { days } = reportOf([meow(hours + 2.5), meow(hours + 3.5), meow(hours + 24.5)], {
      tz: 'Europe/Berlin',
      fromMs,
      days: 2,
    });
    expect(days.map(({ from, meows }) => [from, meows])).toEqual([
      ['2026-10-25T00:00:00+02:00', 3],
      ['2026-10-26T00:00:00+01:00', 0],
    ]);
    // That hour came twice.
    expect(days[0]?.hours[2]).toBe(2);
    expect(days[0]?.hours[23]).toBe(1);
  });
});

describe('shakes of a report', () => {
  test('are told longest first, where the cat was, and not more than so many', () => {
    const many = Array.from({ length: MAX_BURSTS + 5 }, (_, i) => meow(2 + i / 10, 1_000 + i));
    const { bursts } = reportOf([move(1, 'hall'), ...many]);
    expect(bursts).toHaveLength(MAX_BURSTS);
    expect(bursts[0]).toMatchObject({ durationMs: 1_000 + MAX_BURSTS + 4, place: 'hall', isGiven: false });
  });

  test('that were taken back do not count, and those that were given say so', () => {
    const { total, bursts } = reportOf([meow(1, 500, { revoked: true }), meow(2, 700, { reassignedTo: 3 })]);
    expect(total).toEqual({ meows: 1, meowMs: 700 });
    expect(bursts).toMatchObject([{ durationMs: 700, isGiven: true }]);
  });

  test('that cannot be read are left out', () => {
    expect(reportOf([meow(1, 500, { version: 99 }), meow(1, 500, { data: '{}' })]).total.meows).toBe(0);
  });

  test('of a clock that was not set are counted as such', () => {
    const corrected = { clock: 'unsynced', originalTime: '1970-01-01T00:00:00.000Z' } as const;
    const events = [meow(1, 500, { clock: 'unsynced' }), meow(2), meow(3, 500, corrected), meow(4, 500, corrected)];
    expect(reportOf(events)).toMatchObject({ unsynced: 1, retimed: 2 });
  });
});

describe('what a report does not know', () => {
  test('is the time from the last sign of a collar to its next one', () => {
    const { unheard, days, quiet } = reportOf([meow(1), silent(6, 5), heard(7), silent(20, 18)]);
    expect(unheard).toEqual([
      { fromMs: at(5), toMs: at(7) },
      { fromMs: at(18), toMs: at(48) },
    ]);
    expect(days.map(({ unheardMs }) => unheardMs / HOUR)).toEqual([8, 24]);
    expect(days[0]?.unheardHours.map((ms) => ms / HOUR)).toEqual(
      Array.from({ length: 24 }, (_, hour) => Number([5, 6].includes(hour) || hour >= 18)),
    );
    expect(quiet).toEqual([]);
  });

  test('began before it where the collar was silent then', () => {
    expect(reportOf([heard(3), meow(10), meow(20), meow(30), meow(40)], { isSilent: true }).unheard).toEqual([
      { fromMs: at(0), toMs: at(3) },
    ]);
  });

  test('may be a long time without any event, of which nobody says why', () => {
    const { quiet, unheard } = reportOf([meow(1), meow(1 + QUIET_MS / HOUR), meow(20), meow(30)]);
    expect(unheard).toEqual([]);
    expect(quiet).toEqual([
      { fromMs: at(1), toMs: at(13) },
      { fromMs: at(30), toMs: at(48) },
    ]);
  });
});

describe('places of a report', () => {
  test('are by time, from where it was at the beginning, and not heard is none', () => {
    const { places, moves } = reportOf([move(6, 'sofa'), meow(7), silent(13, 12), heard(18), meow(30), meow(40)], {
      place: 'hall',
    });
    expect(moves).toBe(1);
    expect(places.map(({ place, ms, meows }) => [place, ms / HOUR, meows])).toEqual([
      ['sofa', 36, 3],
      ['hall', 6, 0],
      [null, 6, 0],
    ]);
  });
});
