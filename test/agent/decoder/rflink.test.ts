import { describe, expect, it } from 'vitest';
import { createDecoder, type DecoderOptions } from '../../../src/agent/decoder/decoder.ts';
import { decodeAll, reasons, text } from './cuts.ts';
import { describeLines } from './lines-of.ts';

/** Messages as in the RFLink Protocol Reference. */
const PIR = '20;12;Pir;ID=aa66;PIR=ON;';
const SWITCH = '20;06;NewKaku;ID=008440e6;SWITCH=a;CMD=OFF;';
const VERSION = '20;00;Nodo RadioFrequencyLink - RFLink Gateway V1.1 - R46;';

const rflink = (options: Partial<DecoderOptions> = {}) => createDecoder({ ...options, format: 'rflink' });
const all = (lines: readonly string[], options: Partial<DecoderOptions> = {}) =>
  decodeAll(rflink(options), text(lines.join('\r\n')), [], 9);

describe('rflink', () => {
  it('reads a motion sensor, placed by the configuration', () => {
    expect(all([PIR]).readings).toEqual([{ collar: 'unknown', atMs: 9, motion: true, sensor: 'aa66' }]);
    const sensors = { AA66: { place: 'hall', collar: 'tom' } };
    expect(all([PIR, '20;13;Pir;ID=aa66;PIR=OFF;BAT=LOW;'], { sensors }).readings).toEqual([
      { collar: 'tom', atMs: 9, motion: true, place: 'hall', sensor: 'aa66' },
      { collar: 'tom', atMs: 9, motion: false, batteryPercent: 5, place: 'hall', sensor: 'aa66' },
    ]);
  });

  it('takes a switch for a sensor only where the configuration says so', () => {
    expect(reasons(all([SWITCH]))).toEqual(['no-reading']);
    const shake = { '008440e6': { kind: 'shake', collar: 'tom' } } as const;
    const on = '20;07;NewKaku;ID=008440e6;SWITCH=a;CMD=ON;RSSI=-71;';
    expect(all([SWITCH, on], { sensors: shake }).readings).toEqual([
      { collar: 'tom', atMs: 9, shake: 0 },
      { collar: 'tom', atMs: 9, shake: 1, rssiDbm: -71 },
    ]);
    const motion = { '008440e6': { kind: 'motion' } } as const;
    expect(all([on], { sensors: motion }).readings).toEqual([
      { collar: 'unknown', atMs: 9, motion: true, sensor: '008440e6' },
    ]);
  });

  it.each([VERSION, '20;02;PONG;', '20;09;Oregon TempHygro;ID=1a2d;TEMP=00dd;HUM=43;BAT=OK;', '20;03;OK;'])(
    'says nothing of a collar: %s',
    (line) => {
      expect(reasons(all([line]))).toEqual(['no-reading']);
    },
  );

  it('counts lines that were lost on the way, and knows one that comes twice', () => {
    const at = (sequence: string) => `20;${sequence};Pir;ID=aa66;PIR=ON;`;
    const total = all([at('FE'), at('FE'), at('FF'), at('02'), VERSION, VERSION, at('01')]);
    expect(reasons(total)).toEqual(['duplicate', 'no-reading', 'no-reading']);
    expect(total.readings.length).toBe(4);
    expect(total.lostSamples).toBe(2);
  });

  it.each([
    ['bad-format', '10;NewKaku;008440e6;a;ON;'],
    ['bad-format', '20;1;Pir;ID=aa66;PIR=ON;'],
    ['bad-format', '0;12;Pir;ID=aa66;PIR=ON;'],
    ['bad-value', '20;11;Pir;ID=aa66;PIR=MAYBE;'],
    ['bad-value', '20;11;Pir;ID=aa66;PIR=ON;RSSI=loud;'],
    ['bad-value', '20;11;Pir;ID= ;PIR=ON;'],
  ])('discards as %s: %s', (reason, line) => {
    expect(reasons(all([line, PIR]))).toEqual([reason]);
  });

  describeLines(rflink, [PIR, SWITCH, VERSION]);
});
