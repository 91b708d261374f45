import { describe, expect, it } from 'vitest';
import { createDecoder, type DecoderOptions } from '../../../src/agent/decoder/decoder.ts';
import { decodeAll, reasons, text } from './cuts.ts';
import { describeLines } from './lines-of.ts';

/** From bthome.io/format and bthome.io/encryption, and from the tests of Bluetooth-Devices/bthome-ble. */
const MAC = '54:48:E6:8F:80:A5';
const ENCRYPTED_MOTION = '4187b90011223372b0231f';
const ENCRYPTED_CLIMATE = '41a47266c95f730011223378237214';
const bindKeys = { [MAC]: '231d39c1d7cc1ab1aee224cd096db932' };

const bthome = (options: Partial<DecoderOptions> = {}) =>
  createDecoder({ collar: 'tom', ...options, format: 'bthome' });
const all = (lines: readonly string[], options: Partial<DecoderOptions> = {}) =>
  decodeAll(bthome(options), text(lines.join('\n')), [], 9);

describe('bthome', () => {
  it.each([
    ['packet id and battery', '400009015d025d0903b718', { counter: 9, batteryPercent: 93 }],
    ['a magnitude', '44518756', { axG: 0, ayG: 0, azG: 22.151 / 9.80665 }],
    ['a signed acceleration', '40630057d0ff', { axG: 0, ayG: 0, azG: -3.123456 / 9.80665 }],
    ['vibration', '402c01', { shake: 1 }],
    ['no vibration', '402c00', { shake: 0 }],
    ['a low battery', '401501', { batteryPercent: 5 }],
  ])('reads %s', (_, line, expected) => {
    expect(all([line]).readings).toEqual([{ collar: 'tom', atMs: 9, ...expected }]);
  });

  it('reads three accelerations as axes', () => {
    const [reading] = all(['406380969800' + '630057d0ff' + '63406f4001']).readings;
    expect(reading?.axG).toBeCloseTo(10 / 9.80665, 9);
    expect(reading?.ayG).toBeCloseTo(-3.123456 / 9.80665, 9);
    expect(reading?.azG).toBeCloseTo(21 / 9.80665, 9);
  });

  it.each(['4002C40903BF13', '4002ca0903bf13', '403f020c', '403a04', '401500'])(
    'says nothing of a collar: %s',
    (line) => {
      expect(reasons(all([line]))).toEqual(['no-reading']);
      expect(all([`${MAC} -70 ${line}`]).readings).toEqual([{ collar: '5448E68F80A5', atMs: 9, rssiDbm: -70 }]);
    },
  );

  it('reads service data with its id, and whole advertisements', () => {
    expect(all(['D2FC402c01', '0201060616D2FC402c01']).readings.map((reading) => reading.shake)).toEqual([1, 1]);
  });

  it('opens what is encrypted: motion of a room', () => {
    const total = all([`${MAC} -60 ${ENCRYPTED_MOTION}`], { bindKeys, sensors: { [MAC]: { place: 'hall' } } });
    expect(total.readings).toEqual([
      { collar: 'tom', atMs: 9, counter: 0x33221100, motion: true, place: 'hall', sensor: '5448E68F80A5' },
    ]);
    expect(reasons(all([`${MAC} ${ENCRYPTED_CLIMATE}`], { bindKeys }))).toEqual(['no-reading']);
    expect(all([ENCRYPTED_MOTION], { bindKeys, collar: MAC }).readings[0]?.motion).toBe(true);
  });

  it('tells what it cannot open', () => {
    const damaged = ENCRYPTED_MOTION.replace('87b9', '87b8');
    expect(reasons(all([`${MAC} ${ENCRYPTED_MOTION}`]))).toEqual(['no-key']);
    expect(reasons(all([`${MAC} ${damaged}`], { bindKeys }))).toEqual(['bad-key']);
    expect(reasons(all([`${MAC} ${ENCRYPTED_MOTION}`], { bindKeys: { [MAC]: '00'.repeat(16) } }))).toEqual(['bad-key']);
    // The address is part of what is sealed: another sender's packet is not taken for this one's.
    const other = { '54:48:E6:8F:80:A6': bindKeys[MAC] as string };
    expect(reasons(all([`54:48:E6:8F:80:A6 ${ENCRYPTED_MOTION}`], { bindKeys: other }))).toEqual(['bad-key']);
  });

  it('knows a packet again, and counts those that never came', () => {
    const packet = (id: number) => `4000${id.toString(16).padStart(2, '0')}2c01`;
    const total = all([254, 254, 255, 2].map(packet));
    expect(reasons(total)).toEqual(['duplicate']);
    expect(total.lostSamples).toBe(2);
    expect(reasons(all([`${MAC} ${ENCRYPTED_MOTION}`, `${MAC} ${ENCRYPTED_MOTION}`], { bindKeys }))).toEqual([
      'duplicate',
    ]);
  });

  it('keeps the counters of open and sealed packets apart', () => {
    const options = { bindKeys, collar: MAC };
    expect(all([ENCRYPTED_MOTION, '4000072c01', ENCRYPTED_MOTION], options)).toMatchObject({
      lostSamples: 0,
      discards: [{ reason: 'duplicate' }],
    });
  });

  it('passes over text, and ends at a kind that is newer than this', () => {
    expect(all(['4053022c012c01']).readings[0]?.shake).toBe(1);
    expect(all(['402c01ee2c00']).readings[0]?.shake).toBe(1);
  });

  it.each([
    ['bad-format', 'bthome'],
    ['bad-version', '2002c409'],
    ['bad-version', '0201061BFF9904'],
    ['bad-length', '4002c4'],
    ['bad-length', '405305aa'],
    ['bad-value', '400165'],
  ])('discards as %s: %s', (reason, line) => {
    expect(reasons(all([line, '402c01']))).toEqual([reason]);
  });

  it('needs to know of whom', () => {
    expect(reasons(decodeAll(createDecoder({ format: 'bthome' }), text('402c01')))).toEqual(['no-collar']);
  });

  it('is cut short when it is encrypted', () => {
    expect(reasons(all([`${MAC} 4100112233aabbccdd`], { bindKeys }))).toEqual(['bad-length']);
  });

  describeLines(() => bthome({ bindKeys }), ['402c01', `${MAC} ${ENCRYPTED_MOTION}`, '44518756', '403a04']);
});
