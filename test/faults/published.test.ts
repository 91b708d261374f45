import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Scenario } from './frame.ts';
import {
  asPublished,
  type Published,
  publishedTable,
  README,
  readPublished,
  whyNotPublished,
  withRuns,
  withTable,
} from './published.ts';
import { SCENARIOS } from './run-faults.ts';

const scenario: Scenario = {
  name: 'cut',
  weight: 1,
  full: 9,
  recovery: 'until it is open again',
  missing: () => null,
  run: async () => [],
};
const row = {
  fault: 'a cut',
  control: false,
  injected: 1_500,
  losing: 0,
  acked: 1_234_567,
  lost: 0,
  doubled: 0,
  recoveryMs: { median: 20, max: 90 },
};
const run = (more: Partial<Published> = {}): Published => ({
  scenario: 'cut',
  program: 'aaa',
  seed: 1,
  minutes: 2.5,
  day: '2026-11-27',
  rows: [row],
  ...more,
});

it('README has the table of what was published, in which nothing is lost and each control loses', () => {
  const readme = readFileSync(README, 'utf8');
  const runs = readPublished();
  expect(withTable(readme, publishedTable(SCENARIOS, runs))).toBe(readme);
  expect(whyNotPublished(runs)).toEqual([]);
});

it('runs of one program are added up, and those of another one forgotten', () => {
  const again = run({ seed: 2 });
  expect(withRuns([run()], [again])).toEqual([run(), again]);
  expect(withRuns([run()], [run({ minutes: 9 })])).toEqual([run({ minutes: 9 })]);
  const newer = run({ program: 'bbb', seed: 7 });
  const other = run({ scenario: 'kill' });
  expect(withRuns([run(), again, other], [newer])).toEqual([other, newer]);
});

it('a row of the table is the sum of its runs, and says how to have it anew', () => {
  const control = {
    ...row,
    fault: 'a lie',
    control: true,
    losing: 7,
    lost: 70,
    recoveryMs: { median: 2_000, max: 2_500 },
  };
  const runs = [
    run({ rows: [row, control] }),
    run({ seed: 2, rows: [{ ...row, recoveryMs: { median: 30, max: 70 } }] }),
  ];
  expect(publishedTable([scenario], runs).split('\n').slice(2)).toEqual([
    '| a cut | 3 000 | 2 469 134 | 0 | 0 | ≤ 0.1 % | 30 ms, 90 ms |',
    '| *control:* a lie | 1 500 | 1 234 567 | 70 | 0 | 7 break | 2.0 s, 2.5 s |',
    '| *above: `cut`, seed 1, 2, 5.0 minutes, 2026-11-27, program aaa; recovery: until it is open again* |  |  |  |  |  |  |',
    '',
  ]);
});

it('a row that broke, a control that did not, and one without a fault are not fit to be shown', () => {
  const bad = [
    { ...row, lost: 1, losing: 1 },
    { ...row, control: true },
    { ...row, injected: 0 },
  ];
  expect(whyNotPublished([run({ rows: bad })])).toEqual([
    'cut, seed 1, a cut: an invariant broke',
    'cut, seed 1, a cut: the negative control lost nothing: the oracle is blind',
    'cut, seed 1, a cut: no fault was injected: it proves nothing',
  ]);
});

it('what is kept of a run is its rows', () => {
  const outcome = { scenario: 'cut', seed: 99, seconds: 90, skipped: null, failed: null };
  const rows = [{ ...row, bound: 0.1, notes: ['long'], breaches: [] }];
  const about = { program: 'aaa', seed: 1, day: '2026-11-27' };
  expect(asPublished([{ ...outcome, rows }], about)).toEqual([run({ minutes: 1.5 })]);
});
