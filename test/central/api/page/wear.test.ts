import { describe, expect, test } from 'vitest';
import { bytesText, wearOf, yearsText } from '../../../../src/central/api/page/wear.ts';

const DAY_MS = 86_400_000;

describe('the wear of a card', () => {
  test('is what is written in a day, and how many days the card bears it', () => {
    // 32 GB × 500 full writes, of which each byte of ours costs 8.
    expect(wearOf(200e6, 2 * DAY_MS, 32e9)).toEqual({ bytesADay: 100e6, years: (32e9 * 500) / 8 / 100e6 / 365.25 });
  });

  test('is not told of an agent that has only just begun', () => {
    expect(wearOf(500_000, 119_999, 32e9)).toBeNull();
    expect(wearOf(500_000, 120_000, 32e9)?.bytesADay).toBe(360e6);
  });

  test('has no years where nothing is written, or the card is not known', () => {
    expect(wearOf(0, DAY_MS, 32e9)).toEqual({ bytesADay: 0, years: null });
    expect(wearOf(1, DAY_MS, null)).toEqual({ bytesADay: 1, years: null });
  });

  test.each([
    [0.01, '1 month'],
    [0.5, '6 months'],
    [5.27, '5.3 years'],
    [12.4, '12 years'],
    [51, 'over 50 years'],
  ])('%d years are told as %s', (years, text) => {
    expect(yearsText(years)).toBe(text);
  });
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [99_949, '99.9 kB'],
  [99_950, '100 kB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [31.9e9, '31.9 GB'],
  [4e15, '4000 TB'],
])('%d bytes are told as %s', (bytes, text) => {
  expect(bytesText(bytes).replace('\u00a0', ' ')).toBe(text);
});
