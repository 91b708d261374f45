import { expect, test } from 'vitest';
import { batteryReading } from '../../../src/agent/detector/battery.ts';
import type { Detection } from '../../../src/agent/detector/detection.ts';

test.each([
  ['told once at the limit', 15, [40, 16, 15, 14, 3], [15]],
  ['a value that wavers is told once', 15, [15, 16, 15, 20, 14], [15]],
  ['told again after it was charged', 15, [15, 25, 90, 12], [15, 12]],
  ['not charged enough to be told again', 15, [15, 24, 15], [15]],
  ['a limit near full is told again after a full charge', 95, [94, 100, 95], [94, 95]],
  ['a limit of all is told once', 100, [100, 99], [99]],
])('battery.low: %s', (_name, lowPercent, percents, told) => {
  const state = { low: false };
  const out: Detection[] = [];
  for (const [atMs, batteryPercent] of percents.entries()) {
    batteryReading(state, { collar: 'C0FFEE01', atMs, batteryPercent }, { lowPercent }, out);
  }
  batteryReading(state, { collar: 'C0FFEE01', atMs: 99 }, { lowPercent }, out);
  expect(out.map((d) => d.type === 'battery.low' && d.percent)).toEqual(told);
});
