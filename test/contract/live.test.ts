import { expect, test } from 'vitest';
import {
  decodeLive,
  encodeLive,
  joinLive,
  LIVE_COLUMNS,
  type LiveColumn,
  type LiveTrace,
  MAX_LIVE_BURSTS,
} from '../../src/contract/live.ts';

const column = (no: number, level = 0.1): LiveColumn => ({ no, level, odds: -4, shaking: false });
const trace = (more: Partial<LiveTrace> = {}): LiveTrace => ({
  collar: 'A',
  nowMs: 100_000,
  measure: 'acceleration',
  borders: { onOdds: 2, offOdds: 0, level: 0.25 },
  columns: [column(398), { no: 399, level: 1.2, odds: 3.5, shaking: true }],
  bursts: [
    { startMs: 90_000, endMs: 91_000 },
    { startMs: 99_500, endMs: null },
  ],
  rateHz: 50,
  restG: null,
  warnings: ['its counter has begun again once'],
  ...more,
});
const sent = (one: LiveTrace) => JSON.parse(JSON.stringify(encodeLive(one))) as Record<string, unknown>;

test('what an agent says is what central reads', () => {
  expect(decodeLive(sent(trace()))).toEqual(trace());
  const quiet = trace({ measure: null, borders: { onOdds: null, offOdds: null, level: 3 }, columns: [], bursts: [] });
  expect(decodeLive(sent(quiet))).toEqual(quiet);
});

test.each([
  ['no collar', { collar: undefined }],
  ['an empty collar', { collar: '' }],
  ['a collar of a mile', { collar: 'x'.repeat(65) }],
  ['no time', { nowMs: 'now' }],
  ['a measure of its own', { measure: 'magic' }],
  ['no borders', { borders: null }],
  ['borders of text', { borders: { onOdds: '2', offOdds: 0, level: 1 } }],
  ['no columns', { columns: 7 }],
  ['more than a minute', { columns: Array.from({ length: LIVE_COLUMNS + 1 }, (_, no) => [no, 0, null, 0]) }],
  ['a column that is none', { columns: [[1, 0, null, 0], [2]] }],
  ['half a column', { columns: [[1.5, 0, null, 0]] }],
  ['a burst that is none', { bursts: [[null, 1]] }],
  ['more bursts than that', { bursts: Array.from({ length: MAX_LIVE_BURSTS + 1 }, () => [1, 2]) }],
  ['warnings that are none', { warnings: [1] }],
  ['no rate', { rateHz: undefined }],
])('%s is no answer', (_name, change) => {
  expect(decodeLive({ ...sent(trace()), ...change })).toBeNull();
});

test('long words are cut', () => {
  expect(decodeLive(sent(trace({ warnings: ['x'.repeat(1_000)] })))?.warnings[0]).toHaveLength(200);
});

test.each([
  ['the newest column comes again, and replaces what it was', [398, 399], [399, 400], 100_250, [398, 399, 400]],
  ['what got lost comes with the next answer', [398, 399], [399, 400, 401, 402], 101_000, [398, 399, 400, 401, 402]],
  ['nothing new', [398, 399], [], 100_250, [398, 399]],
  ['what is older than a minute goes', [150, 160, 161, 162, 399], [], 100_250, [162, 399]],
  ['a clock that went back is of an agent that has begun anew', [398, 399], [3, 4], 1_000, [3, 4]],
] as const)('%s', (_name, before, newer, nowMs, wanted) => {
  const joined = joinLive(
    trace({ columns: before.map((no) => column(no)) }),
    trace({ nowMs, columns: newer.map((no) => column(no, 2)) }),
  );
  expect(joined.columns.map(({ no }) => no)).toEqual(wanted);
  for (const { no, level } of joined.columns) expect(level).toBe((newer as readonly number[]).includes(no) ? 2 : 0.1);
});

test('however often it is asked, it is a minute', () => {
  let joined: LiveTrace | null = null;
  for (let no = 0; no < 1_000; no += 1) joined = joinLive(joined, trace({ nowMs: no * 250, columns: [column(no)] }));
  expect(joined?.columns.length).toBe(LIVE_COLUMNS);
});
