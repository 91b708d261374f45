import { expect, test } from 'vitest';
import { activityOf } from '../../../../src/central/api/page/activity.ts';

const tz = 'Europe/Berlin';
/** Half past two in the afternoon there. */
const NOW = Date.parse('2026-11-26T13:30:00Z');

/** `2026-11-20T07` in Berlin: how many meows. */
function rowsOf(counts: Readonly<Record<string, number>>, catId = 1) {
  return Object.entries(counts).map(([hour, events]) => ({ from: `${hour}:00:00+01:00`, catId, events }));
}

test('the last 24 hours and 14 days are those of central, the running ones at the end', () => {
  const rows = [
    ...rowsOf({ '2026-11-26T14': 2, '2026-11-26T00': 1, '2026-11-25T15': 4, '2026-11-25T14': 8, '2026-11-13T23': 5 }),
    ...rowsOf({ '2026-11-26T13': 7 }, 2),
  ];
  const activity = activityOf({ tz, rows }, NOW);
  expect([activity.hours[0], activity.hours.at(-1)]).toEqual(['15:00', '14:00']);
  expect([activity.days[0], activity.days.at(-1)]).toEqual(['2026-11-13', '2026-11-26']);
  const { hours, days } = activity.of(1);
  expect(hours).toEqual([4, ...Array(8).fill(0), 1, ...Array(13).fill(0), 2]);
  expect(days).toEqual([5, ...Array(11).fill(0), 12, 3]);
  expect(activity.of(2).hours.at(-2)).toBe(7);
  expect(activity.of(3)).toEqual({ hours: Array(24).fill(0), days: Array(14).fill(0), usual: null });
});

test.each([
  ['too few days', { '2026-11-25T08': 3, '2026-11-24T08': 3 }, null],
  ['no meow ever', {}, null],
  [
    'what came later in the day does not count',
    { '2026-11-25T08': 3, '2026-11-24T08': 5, '2026-11-23T08': 4, '2026-11-23T20': 99 },
    { meows: 4, ofDays: 3 },
  ],
  [
    'days without any do, from the first known on, and the one that runs does not',
    { '2026-11-22T08': 6, '2026-11-26T08': 99 },
    { meows: 0, ofDays: 4 },
  ],
  [
    'the hour that runs counts by half at half past',
    { '2026-11-23T14': 8, '2026-11-24T14': 8, '2026-11-25T14': 8 },
    { meows: 4, ofDays: 3 },
  ],
  [
    'no more than 14 days',
    Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [`2026-11-${String(6 + i).padStart(2, '0')}T01`, i < 6 ? 90 : 2]),
    ),
    { meows: 2, ofDays: 14 },
  ],
])('what is usual by now: %s', (_what, counts, usual) => {
  expect(activityOf({ tz, rows: rowsOf(counts) }, NOW).of(1).usual).toEqual(usual);
});

test('an hour that comes twice is one', () => {
  const rows = [
    { from: '2026-10-25T02:00:00+02:00', catId: 1, events: 3 },
    { from: '2026-10-25T02:00:00+01:00', catId: 1, events: 4 },
  ];
  const { days } = activityOf({ tz, rows }, Date.parse('2026-10-25T20:00:00Z')).of(1);
  expect(days.at(-1)).toBe(7);
});
