import { describe, expect, test } from 'vitest';
import { createFrameDecoder } from '../../src/agent/decoder/frame.ts';
import { createJsonDecoder } from '../../src/agent/decoder/json.ts';
import type { Decoder } from '../../src/agent/decoder/reading.ts';
import { type BatteryState, batteryReading } from '../../src/agent/detector/battery.ts';
import type { Detection } from '../../src/agent/detector/detection.ts';
import { eventsIn, wire } from './input.ts';
import { type Bench, compared, median, printed, ratios } from './report.ts';

const machine = { processors: 2, model: 'X', node: 'v24', flushesPerSecond: [100, 900] as const };
const bench: Bench = {
  machine,
  readings: 1_000,
  runs: 3,
  figures: {
    'collard (json)': { 'events/s': [100, 200, 300], 'RSS idle, MB': [80] },
    other: { 'events/s': [10, 100, 10], 'lost in the burst': [0, 0, 0] },
  },
};

describe('the table', () => {
  test('has the median, the least and the most, and a row only where somebody has the figure', () => {
    const lines = printed(bench).split('\n');
    expect(lines[0]).toContain('100 to 900 flushes a second');
    expect(lines.find((line) => line.startsWith('events/s '))?.split(/ {2,}/)).toEqual([
      'events/s',
      '200 (100 to 300)',
      '10 (10 to 100)',
    ]);
    expect(lines.find((line) => line.startsWith('RSS idle'))?.split(/ {2,}/)).toEqual(['RSS idle, MB', '80', '-']);
    expect(lines.some((line) => line.startsWith('latency'))).toBe(false);
  });

  test('compares run with run, since the machine changes in between', () => {
    // 10, 2 and 30 times.
    expect(ratios(bench.figures)).toEqual(['collard (json) against other: events/s × 10']);
  });

  test('says how each figure has changed since the one that is kept', () => {
    const after = { ...bench, figures: { other: { 'events/s': [20, 20, 20], 'RSS idle, MB': [1] } } };
    expect(compared(bench, after).split('\n')[1]).toBe('  other: events/s 2 ×');
  });

  test('has the middle of two in the middle', () => {
    expect([median([]), median([3]), median([4, 1]), median([9, 1, 5])]).toEqual([null, 3, 2.5, 5]);
  });
});

describe('the input', () => {
  const found = (decoder: Decoder, bytes: Uint8Array) => {
    const states = new Map<string, BatteryState>();
    const out: Detection[] = [];
    for (const reading of decoder.push(bytes, 1_000).readings) {
      const state = states.get(reading.collar) ?? { low: false };
      states.set(reading.collar, state);
      batteryReading(state, reading, { lowPercent: 15 }, out);
    }
    return out.length;
  };

  test('has the same events in either format, two of five readings', () => {
    expect(eventsIn(0, 10_000)).toBe(4_000);
    expect(found(createJsonDecoder({}), wire('json', 0, 10_000))).toBe(4_000);
    expect(found(createFrameDecoder({}), wire('frame', 0, 10_000))).toBe(4_000);
  });
});
