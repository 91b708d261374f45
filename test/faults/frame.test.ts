/** What a row of the table is, and when it is bad. */
import { describe, expect, it } from 'vitest';
import { createTally, scenarioSeed, whyBad } from './frame.ts';
import { SCENARIOS } from './run-faults.ts';

it('gives scenarios and neighbouring seeds their own stretch of seeds', () => {
  const stretch = 1_000;
  const starts = SCENARIOS.flatMap(({ name }) => Array.from({ length: 20 }, (_, seed) => scenarioSeed(seed, name)));
  const sorted = starts.sort((a, b) => a - b);
  const steps = sorted.slice(1).map((start, i) => start - (sorted[i] ?? 0));
  expect(Math.min(...steps)).toBeGreaterThan(stretch);
});

describe('a row of the table', () => {
  const sound = { acked: 5, lost: 0, doubled: 0, recoveryMs: 1, breach: null };

  it('bounds at 95 % what never happened in n runs by 3 / n', () => {
    const tally = createTally('a fault');
    for (let i = 0; i < 300; i += 1) tally.add(sound, '');
    expect(tally.row()).toMatchObject({ injected: 300, acked: 1_500, lost: 0, bound: 0.01 });
    expect(whyBad(tally.row())).toBeNull();
  });

  it('is bad where one run lost something, and names what reproduces it', () => {
    const tally = createTally('a fault');
    tally.add({ ...sound, lost: 1 }, 'seed 7');
    expect(tally.row().bound).toBeNull();
    expect(whyBad(tally.row())).toBe('seed 7: 1 lost, 0 doubled');
  });

  it('is bad where all runs together show what none of them does', () => {
    const tally = createTally('a fault');
    tally.add(sound, '');
    tally.fail('too slow');
    expect(tally.row()).toMatchObject({ injected: 1, losing: 1, bound: null });
    expect(whyBad(tally.row())).toBe('too slow');
  });

  it('is bad where a control lost nothing, and where nothing was injected', () => {
    const control = createTally('a control', true);
    control.add(sound, '');
    expect(whyBad(control.row())).toMatch(/oracle is blind/);
    expect(whyBad(createTally('a fault').row())).toMatch(/no fault was injected/);
  });
});
