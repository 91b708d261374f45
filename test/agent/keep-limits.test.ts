import { expect, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { parseKeep } from '../../src/agent/keep-limits.ts';

test.each([
  ['48h / 200 MB', 48 * 3_600_000, 200e6],
  ['48h', 48 * 3_600_000, 200e6],
  ['2d/1GB', 2 * 86_400_000, 1e9],
  [' 90 min / 5MB ', 90 * 60_000, 5e6],
  ['1min', 60_000, 200e6],
])('%s', (text, keepMs, keepBytes) => {
  expect(parseKeep(text)).toEqual({ keepMs, keepBytes });
});

test.each([
  '',
  '48',
  '48s',
  'h',
  '0h',
  '0 min / 5 MB',
  '48h / 0 MB',
  '48h / 200',
  '200 MB',
  '48h 200 MB',
  '-1h',
  '1e3h',
  '1h / 1 TB',
])('%j says nothing that can be kept to', (text) => {
  expect(parseKeep(text)).toBeNull();
});

test('none are kept unless the configuration says so', () => {
  const { readings } = agentSchema.shape;
  expect(readings.parse(undefined)).toEqual({});
  expect(readings.parse({ keep: '48h / 200 MB' })).toEqual({ keep: '48h / 200 MB' });
  expect(readings.safeParse({ keep: 'always' }).success).toBe(false);
});
