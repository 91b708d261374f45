import { describe, expect, it } from 'vitest';
import { createGpioDecoder, type GpioLineOptions } from '../../../src/agent/decoder/gpio.ts';
import { decodeAll, reasons, text } from './cuts.ts';
import { describeLines } from './lines-of.ts';

const HALL: GpioLineOptions = { line: 17, kind: 'motion', place: 'hall', debounceMs: 5, mergeMs: 3_000 };
const SHED: GpioLineOptions = { line: 4, kind: 'motion', place: 'shed', collar: 'tom', debounceMs: 5, mergeMs: 3_000 };
const SWITCH: GpioLineOptions = { line: 27, kind: 'shake', collar: 'tom', debounceMs: 5, mergeMs: 0 };

const gpio = (lines = [HALL, SHED, SWITCH]) => createGpioDecoder(lines);
const all = (edges: readonly string[], atMs: number | null = null) =>
  decodeAll(gpio(), text(edges.map((edge) => `${edge}\n`).join('')), [], atMs);

describe('gpio', () => {
  it('reads the edges of a motion sensor with the time of the kernel', () => {
    expect(all(['1 17 12.000000005', '0 17 14.500000000', '1 4 15 500000000', '2 4 16 5']).readings).toEqual([
      { collar: 'unknown', atMs: 12_000.000005, motion: true, place: 'hall', sensor: 'gpio17' },
      { collar: 'unknown', atMs: 14_500, motion: false, place: 'hall', sensor: 'gpio17' },
      { collar: 'tom', atMs: 15_500, motion: true, place: 'shed', sensor: 'gpio4' },
      { collar: 'tom', atMs: 16_000.000005, motion: false, place: 'shed', sensor: 'gpio4' },
    ]);
  });

  it('takes pulses that follow within a moment for one movement', () => {
    const pulses = ['1 17 10.000000000', '0 17 12.000000000', '1 17 14.900000000', '0 17 17.000000000'];
    expect(reasons(all(pulses))).toEqual(['duplicate', 'duplicate']);
    expect(all([...pulses, '1 17 20.100000000']).readings.map(({ atMs }) => atMs)).toEqual([10_000, 12_000, 20_100]);
  });

  it('takes them for two where another sensor saw the cat between', () => {
    const edges = ['1 17 10.000000000', '0 17 12.000000000', '1 4 13.000000000', '1 17 14.000000000'];
    expect(reasons(all(edges))).toEqual([]);
  });

  it('counts each edge of a vibration switch, rising or falling, and bounce once', () => {
    const edges = ['0 27 10.000000000', '1 27 10.004900000', '1 27 10.009900000', '2 27 10.100000000'];
    const total = all(edges);
    expect(total.readings).toEqual([
      { collar: 'tom', atMs: 10_000, edges: 1 },
      { collar: 'tom', atMs: 10_009.9, edges: 1 },
      { collar: 'tom', atMs: 10_100, edges: 1 },
    ]);
    expect(reasons(total)).toEqual(['duplicate']);
  });

  it('takes the arrival where the stamp is of another clock', () => {
    expect(all(['1 17 1764180000.000000000'], 5_000).readings[0]?.atMs).toBe(5_000);
    expect(all(['1 17 4.900000000'], 5_000).readings[0]?.atMs).toBe(4_900);
  });

  it.each([
    ['bad-format', 'rising 17 12'],
    ['bad-format', '1 17 12.5'],
    ['bad-format', '3 17 12.000000005'],
    ['bad-format', 'Monitoring lines 4 and 17...'],
    ['no-sensor', '1 18 12.000000005'],
  ])('discards as %s: %s', (reason, edge) => {
    expect(reasons(all([edge, '1 17 12.000000005']))).toEqual([reason]);
  });

  describeLines(gpio, ['1 17 12.000000005', '0 27 12 5', '1 27 13 5']);
});
