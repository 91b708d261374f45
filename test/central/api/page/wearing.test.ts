import { expect, test } from 'vitest';
import type { CloudEvent } from '../../../../src/central/api/page/types.ts';
import { wearingsOf } from '../../../../src/central/api/page/wearing.ts';

let seq = 0;
const given = (catId: number, collar: string, time: string, more: Partial<CloudEvent> = {}): CloudEvent => {
  seq += 1;
  const id = `e/${seq}`;
  return {
    id,
    source: '/collard/agent/central',
    type: 'collard.collar.assigned',
    time,
    seq,
    data: { catId, collar },
    ...more,
  };
};
const told = (catId: number, events: readonly CloudEvent[]) =>
  wearingsOf(catId, [...events].reverse()).map(({ collar, event, until, isTakenBack }) =>
    [collar, event.time, isTakenBack ? 'taken back' : (until ?? 'now')].join(' '),
  );

test('a collar is worn until the cat gets another one, or another cat gets it', () => {
  const events = [
    given(1, 'A', '01'),
    given(2, 'B', '02'),
    given(1, 'C', '03'),
    given(2, 'C', '04'),
    given(1, 'B', '05'),
  ];
  expect(told(1, events)).toEqual(['B 05 now', 'C 03 04', 'A 01 03']);
  expect(told(2, events)).toEqual(['C 04 now', 'B 02 04']);
  expect(told(3, events)).toEqual([]);
});

test('what was taken back ends nothing', () => {
  const events = [given(1, 'A', '01'), given(1, 'B', '02', { revoked: true, correctedby: 'e/9' })];
  expect(told(1, events)).toEqual(['B 02 taken back', 'A 01 now']);
});

test('of two at one moment the later number is the later one', () => {
  const events = [given(1, 'A', '01'), given(2, 'A', '01')];
  expect(told(1, events)).toEqual(['A 01 01']);
  expect(told(2, events)).toEqual(['A 01 now']);
});
