import { describe, expect, it } from 'vitest';
import { createDecoder, type DecoderOptions } from '../../../src/agent/decoder/decoder.ts';
import { decodeAll, reasons, text } from './cuts.ts';
import { describeLines } from './lines-of.ts';

/** From the myDevices Cayenne documentation, "Low Power Payload". */
const ACCELEROMETER = '067104D2FB2E0000';
const EUI = 'A840411234567890';

const cayenne = (options: Partial<DecoderOptions> = {}) =>
  createDecoder({ collar: 'tom', ...options, format: 'cayenne' });
const all = (line: string, options = {}) => decodeAll(cayenne(options), text(line), [], 9);

describe('cayenne', () => {
  it('reads acceleration, battery and presence', () => {
    expect(all(ACCELEROMETER).readings).toEqual([{ collar: 'tom', atMs: 9, axG: 1.234, ayG: -1.234, azG: 0 }]);
    expect(all(`${EUI} -110 01670110${ACCELEROMETER}07785a`).readings).toEqual([
      { collar: EUI, atMs: 9, axG: 1.234, ayG: -1.234, azG: 0, rssiDbm: -110, batteryPercent: 90 },
    ]);
    expect(all(`${EUI} 026601`, { sensors: { [EUI]: { place: 'shed' } } }).readings).toEqual([
      { collar: 'tom', atMs: 9, motion: true, place: 'shed', sensor: EUI },
    ]);
  });

  it.each([
    ['bad-format', 'hello'],
    ['bad-format', '06ff00'],
    ['bad-format', '06'],
    ['bad-length', '067104D2FB2E'],
    ['bad-value', '077865'],
    ['no-reading', '01670110'],
  ])('discards as %s: %s', (reason, line) => {
    expect(reasons(all(line))).toEqual([reason]);
  });

  it('needs to know of whom', () => {
    expect(reasons(decodeAll(createDecoder({ format: 'cayenne' }), text(ACCELEROMETER)))).toEqual(['no-collar']);
  });

  describeLines(cayenne, [ACCELEROMETER, `${EUI} -110 07785a`]);
});
