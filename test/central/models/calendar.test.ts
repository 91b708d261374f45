import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCalendar } from '../../../src/central/models/calendar.ts';

const span = (by: 'hour' | 'day', zone: string, moment: string) => {
  const { from, to, fromMs, toMs } = createCalendar(by, zone).spanOf(Date.parse(moment));
  return { from, to, hours: (toMs - fromMs) / 3_600_000 };
};

describe('a day', () => {
  it.each([
    ['Europe/Berlin', '2026-03-29T12:00Z', '2026-03-29T00:00:00+01:00', '2026-03-30T00:00:00+02:00', 23],
    ['Europe/Berlin', '2026-10-25T00:30Z', '2026-10-25T00:00:00+02:00', '2026-10-26T00:00:00+01:00', 25],
    ['Europe/Berlin', '2026-11-22T23:00Z', '2026-11-23T00:00:00+01:00', '2026-11-24T00:00:00+01:00', 24],
    ['Asia/Kathmandu', '2026-11-22T18:14:59Z', '2026-11-22T00:00:00+05:45', '2026-11-23T00:00:00+05:45', 24],
    ['UTC', '2026-11-23T23:59:59.999Z', '2026-11-23T00:00:00+00:00', '2026-11-24T00:00:00+00:00', 24],
    // Clocks went forward at midnight: this day began at one.
    ['America/Sao_Paulo', '2018-11-04T12:00Z', '2018-11-04T01:00:00-02:00', '2018-11-05T00:00:00-02:00', 23],
    // And back at midnight: the hour before it came twice.
    ['America/Sao_Paulo', '2019-02-16T12:00Z', '2019-02-16T00:00:00-02:00', '2019-02-17T00:00:00-03:00', 25],
    // A midnight that comes twice.
    ['America/Havana', '2026-11-01T12:00Z', '2026-11-01T00:00:00-04:00', '2026-11-02T00:00:00-05:00', 25],
    // The 30th was left out.
    ['Pacific/Apia', '2011-12-29T12:00Z', '2011-12-29T00:00:00-10:00', '2011-12-31T00:00:00+14:00', 24],
    ['Australia/Lord_Howe', '2026-10-04T00:00Z', '2026-10-04T00:00:00+10:30', '2026-10-05T00:00:00+11:00', 23.5],
  ])('of %s at %s', (zone, moment, from, to, hours) => {
    expect(span('day', zone, moment)).toEqual({ from, to, hours });
  });
});

describe('an hour', () => {
  it.each([
    ['Europe/Berlin', '2026-11-23T06:14Z', '2026-11-23T07:00:00+01:00', '2026-11-23T08:00:00+01:00', 1],
    ['Europe/Berlin', '2026-10-25T00:14Z', '2026-10-25T02:00:00+02:00', '2026-10-25T02:00:00+01:00', 1],
    ['Europe/Berlin', '2026-10-25T01:14Z', '2026-10-25T02:00:00+01:00', '2026-10-25T03:00:00+01:00', 1],
    ['Asia/Kolkata', '2026-11-23T06:14Z', '2026-11-23T11:00:00+05:30', '2026-11-23T12:00:00+05:30', 1],
    // At two it is half past two at once: this hour has a half.
    ['Australia/Lord_Howe', '2026-10-03T15:45Z', '2026-10-04T02:30:00+11:00', '2026-10-04T03:00:00+11:00', 0.5],
    ['Australia/Lord_Howe', '2026-04-04T14:45Z', '2026-04-05T01:00:00+11:00', '2026-04-05T01:30:00+10:30', 1],
    ['Australia/Lord_Howe', '2026-04-04T15:15Z', '2026-04-05T01:30:00+10:30', '2026-04-05T02:00:00+10:30', 0.5],
  ])('of %s at %s', (zone, moment, from, to, hours) => {
    expect(span('hour', zone, moment)).toEqual({ from, to, hours });
  });
});

it('every moment lies in one span, and the next begins where it ends', () => {
  const zones = fc.constantFrom(
    'Europe/Berlin',
    'America/Havana',
    'Australia/Lord_Howe',
    'Pacific/Apia',
    'Asia/Tehran',
  );
  const moments = fc.integer({ min: Date.parse('2005-01-01'), max: Date.parse('2035-01-01') });
  fc.assert(
    fc.property(zones, fc.constantFrom('hour' as const, 'day' as const), moments, (zone, by, ms) => {
      const { fromMs, toMs } = createCalendar(by, zone).spanOf(ms);
      expect(fromMs <= ms && ms < toMs).toBe(true);
      expect(createCalendar(by, zone).spanOf(toMs - 1)).toMatchObject({ fromMs, toMs });
      expect(createCalendar(by, zone).spanOf(fromMs)).toMatchObject({ fromMs, toMs });
      expect(createCalendar(by, zone).spanOf(toMs).fromMs).toBe(toMs);
    }),
    { numRuns: 200 },
  );
});

it('a zone that does not exist is refused', () => {
  expect(() => createCalendar('day', 'Europe/Atlantis')).toThrow(RangeError);
});
