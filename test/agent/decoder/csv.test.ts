import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDecoder, type DecoderOptions } from '../../../src/agent/decoder/decoder.ts';
import { decodeAll, discardedBytes, expectEachLineTold, reasons, text } from './cuts.ts';

const csv = (options: Partial<DecoderOptions> = {}) => createDecoder({ ...options, format: 'csv' });

describe('csv', () => {
  it('reads acceleration by its header', () => {
    const total = decodeAll(csv(), text('t_ms,ax_g,ay_g,az_g\n0,1.5,-0.25,.9\r\n5,1,2,3e0\n'));
    expect(total.readings).toEqual([
      { collar: 'unknown', atMs: 0, axG: 1.5, ayG: -0.25, azG: 0.9 },
      { collar: 'unknown', atMs: 5, axG: 1, ayG: 2, azG: 3 },
    ]);
    expect(total.discards).toEqual([{ reason: 'comment', bytes: 20, sample: 't_ms,ax_g,ay_g,az_g' }]);
  });

  it('gives one sighting for each receiver that heard the tag, and ignores the truth', () => {
    const lines = 't_ms,rssi_1,rssi_2,rssi_hall,place\n1627997452227,-54.5,,-70,living\n1627997452894,,,,living\n';
    const total = decodeAll(csv({ collar: 'tag' }), text(lines));
    const sighting = { collar: 'tag', atMs: 1627997452227 };
    expect(total.readings).toEqual([
      { ...sighting, place: '1', sensor: '1', rssiDbm: -54.5 },
      { ...sighting, place: 'hall', sensor: 'hall', rssiDbm: -70 },
    ]);
    expect(reasons(total)).toEqual(['comment', 'comment']);
  });

  it('gives the truth where it is asked for, in any pieces', () => {
    const bytes = text('t_ms,rssi_1,place\n5,-54,living\n6,-55,\n7,-56,hall\n');
    const sighting = { collar: 'tag', place: '1', sensor: '1' };
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(decodeAll(csv({ collar: 'tag', truth: true }), bytes, [cut]).readings).toEqual([
        { ...sighting, atMs: 5, rssiDbm: -54, truth: 'living' },
        { ...sighting, atMs: 6, rssiDbm: -55 },
        { ...sighting, atMs: 7, rssiDbm: -56, truth: 'hall' },
      ]);
    }
  });

  it('reads collar, counter, battery and the flags, and adds the place of the source', () => {
    const lines = 'collar,n,battery,shake,motion,rssi\nC0FFEE01,7,50,1,0,-40\nC0FFEE01,9,50,0,1,-41\n';
    const total = decodeAll(csv({ place: 'hall' }), text(lines));
    expect(total.readings[0]).toEqual({
      collar: 'C0FFEE01',
      atMs: 0,
      counter: 7,
      batteryPercent: 50,
      shake: 1,
      motion: false,
      rssiDbm: -40,
      place: 'hall',
    });
    expect(total.readings[1]?.atMs).toBe(20);
    expect(total.lostSamples).toBe(1);
  });

  it.each([
    ['g', 1],
    ['mg', 1 / 1000],
    ['m/s2', 1 / 9.80665],
    [256, 1 / 256],
  ] as const)('takes the unit %s from the configuration where the column has none', (unit, g) => {
    const { readings } = decodeAll(csv({ unit }), text('t;ax;ay;az_mg\n0;1;2;3000\n'));
    expect(readings[0]?.axG).toBeCloseTo(g, 12);
    expect(readings[0]?.ayG).toBeCloseTo(2 * g, 12);
    expect(readings[0]?.azG).toBe(3);
  });

  it('takes the columns from the configuration, and then obeys no header line', () => {
    const columns = ['az', 'other', 'ay', 'ax'];
    const total = decodeAll(csv({ columns, unit: 'mg' }), text('ax,ay,az,t\n3,x,2,1\n'), [], 99);
    expect(total.readings).toEqual([{ collar: 'unknown', atMs: 99, axG: 0.001, ayG: 0.002, azG: 0.003 }]);
    expect(reasons(total)).toEqual(['comment']);
  });

  it('survives notes, noise and rows of another shape, and counts them', () => {
    const lines = [
      'booting, please wait',
      '1,2,3,4',
      't_ms,ax_g,ay_g,az_g',
      '# note',
      '0,0,0,1',
      '<info> app_timer: RTC: initialized.',
      '20,0,0',
      '20,0,zero,1',
      '20,0,,1',
      '20,0,0x10,1',
      'Infinity,0,0,1',
      '',
      '40,0,0,1',
    ];
    const total = decodeAll(csv(), text(lines.join('\n')));
    expect(total.readings.map((reading) => reading.atMs)).toEqual([0, 40]);
    const expected = ['no-columns', 'no-columns', 'comment', 'comment', 'no-columns', 'no-columns'];
    expect(reasons(total)).toEqual([...expected, 'bad-value', 'bad-value', 'bad-value', 'bad-value', 'comment']);
    expect(discardedBytes(total)).toBe(lines.join('\n').length - '0,0,0,1\n40,0,0,1'.length);
  });

  it('obeys a header that comes again', () => {
    const lines = 't_ms,ax_g,ay_g,az_g\n0,0,0,1\nt_ms,rssi_1\n5,-50\n';
    expect(decodeAll(csv(), text(lines)).readings.at(-1)).toMatchObject({ atMs: 5, rssiDbm: -50 });
  });

  it('gives the same wherever the bytes are cut, and never throws', () => {
    const cell = fc.oneof(fc.integer().map(String), fc.double().map(String), fc.string({ maxLength: 5 }));
    const row = fc.array(cell, { minLength: 4, maxLength: 4 }).map((cells) => cells.join(','));
    const line = fc.oneof(row, fc.constant('t_ms,ax_g,ay_g,az_g'), fc.string());
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat()), (lines, cuts) => {
        const bytes = Buffer.from(lines.join('\n'));
        expect(decodeAll(csv(), bytes, cuts)).toEqual(decodeAll(csv(), bytes));
        expectEachLineTold(csv(), bytes.toString().split('\n'));
      }),
    );
  });
});
