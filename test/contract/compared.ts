/** A comparison of settings as an agent tells it. */
import type { Compared } from '../../src/contract/compare.ts';

export const ONE_MORE: Compared = {
  collar: 'C0FFEE01',
  fromMs: Date.parse('2026-11-23T09:30:00.000Z'),
  toMs: Date.parse('2026-11-23T12:30:00.000Z'),
  coveredMs: 10_800_000,
  readings: 540_000,
  levels: [0.02, 1.6, 0.4],
  past: [[3_600_000, 3_601_200]],
  anew: [
    [3_600_000, 3_601_200],
    [7_200_000, 7_200_640],
  ],
  changes: [{ what: 'added', before: null, after: [7_200_000, 7_200_640] }],
  added: 1,
  removed: 0,
  moved: 0,
  same: 1,
  decidedBy: ['shake/5 0a1b2c3d'],
  triedBy: 'shake/5 4e5f6a7b',
  own: { sensitivity: 1.4 },
};
