import { describe, expect, it } from 'vitest';
import { createDecoder, type DecoderOptions } from '../../../src/agent/decoder/decoder.ts';
import { decodeAll, reasons, text } from './cuts.ts';
import { describeLines } from './lines-of.ts';

/** From docs.ruuvi.com, "Data format 5 (RAWv2)", test vectors. */
const VALID = '0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F';
const MAX = '057FFFFFFEFFFE7FFF7FFF7FFFFFDEFEFFFECBB8334C884F';
const MIN = '058001000000008001800180010000000000CBB8334C884F';
const INVALID = '058000FFFFFFFF800080008000FFFFFFFFFFFFFFFFFFFFFF';

const ruuvi = (options: Partial<DecoderOptions> = {}) => createDecoder({ ...options, format: 'ruuvi' });
const all = (lines: readonly string[], options = {}) => decodeAll(ruuvi(options), text(lines.join('\n')), [], 9);
const withSequence = (n: number) => `${VALID.slice(0, 32)}${n.toString(16).padStart(4, '0')}${VALID.slice(36)}`;

describe('ruuvi', () => {
  it.each([
    ['valid', VALID, { axG: 0.004, ayG: -0.004, azG: 1.036, moveCount: 66, counter: 205, batteryPercent: 87 }],
    ['largest', MAX, { axG: 32.767, ayG: 32.767, azG: 32.767, moveCount: 254, counter: 65_534, batteryPercent: 100 }],
    ['smallest', MIN, { axG: -32.767, ayG: -32.767, azG: -32.767, moveCount: 0, counter: 0, batteryPercent: 0 }],
  ])('reads the %s values of the specification', (_, line, expected) => {
    expect(all([line]).readings).toEqual([{ collar: 'CBB8334C884F', atMs: 9, ...expected }]);
  });

  it('takes invalid values for absent', () => {
    expect(reasons(all([INVALID]))).toEqual(['no-collar']);
    expect(reasons(all([INVALID], { collar: 'tom' }))).toEqual(['no-reading']);
    expect(all([`CB:B8:33:4C:88:4F -61 ${INVALID}`]).readings).toEqual([
      { collar: 'CBB8334C884F', atMs: 9, rssiDbm: -61 },
    ]);
  });

  it('reads the data alone, as manufacturer data and in a whole advertisement, with and without signal strength', () => {
    const lines = [
      VALID.toLowerCase(),
      `9904${withSequence(206)}`,
      `0201061BFF9904${withSequence(207)}`,
      `cb:b8:33:4c:88:4f;-70;${withSequence(208)}`,
      `${withSequence(209)}, -71`,
    ];
    const { readings } = all(lines, { place: 'hall' });
    expect(readings.map(({ counter, rssiDbm }) => [counter, rssiDbm])).toEqual([
      [205, undefined],
      [206, undefined],
      [207, undefined],
      [208, -70],
      [209, -71],
    ]);
    expect(new Set(readings.map(({ collar, place }) => `${collar} ${place}`))).toEqual(new Set(['CBB8334C884F hall']));
  });

  it('tells a measurement that is said again, and counts those that never came', () => {
    const total = all([65_532, 65_532, 65_534, 1].map(withSequence));
    expect(reasons(total)).toEqual(['duplicate']);
    expect(total.readings.length).toBe(3);
    // 65 533, and 0: 65 535 stands for "unknown" and is not counted.
    expect(total.lostSamples).toBe(2);
  });

  it('gives a tag the name that the configuration has for its address', () => {
    const sensors = { 'cb:b8:33:4c:88:4f': { collar: 'tom' } };
    expect(all([VALID], { sensors }).readings[0]?.collar).toBe('tom');
  });

  it.each([
    ['bad-format', 'hello'],
    ['bad-format', `${VALID} what`],
    ['bad-format', `-61 -62 ${VALID}`],
    ['bad-format', `-999 ${VALID}`],
    ['bad-format', VALID.slice(1)],
    ['bad-version', '0312FC5394C37C0004FFFC040CAC364200CDCBB8334C884F'],
    ['bad-version', '0201061BFF4C0004'],
    ['bad-version', `0201061BFF4C00${VALID}`],
    ['bad-length', `9904${VALID.slice(0, 46)}`],
    ['bad-length', `${VALID}00`],
  ])('discards as %s: %s', (reason, line) => {
    expect(reasons(all([line, VALID]))).toEqual([reason]);
  });

  describeLines(ruuvi, [VALID, withSequence(9), `CB:B8:33:4C:88:4F -61 ${MAX}`, INVALID]);
});
