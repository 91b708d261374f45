import { describe, expect, it } from 'vitest';
import { createDecoder, type DecoderOptions } from '../../../src/agent/decoder/decoder.ts';
import { decodeAll, reasons, text } from './cuts.ts';
import { describeLines } from './lines-of.ts';

/** Messages as in mysensors.org, "Serial protocol 2.x". */
const PRESENT_MOTION = '12;6;0;0;1;My motion sensor';
const PRESENT_VIBRATION = '12;7;0;0;34;collar vibration';

const mysensors = (options: Partial<DecoderOptions> = {}) => createDecoder({ ...options, format: 'mysensors' });
const all = (lines: readonly string[], options: Partial<DecoderOptions> = {}) =>
  decodeAll(mysensors(options), text(lines.map((line) => `${line}\n`).join('')), [], 9);

describe('mysensors', () => {
  it('reads a motion sensor as one of a room, and a vibration switch as the collar of its node', () => {
    const lines = [
      PRESENT_MOTION,
      '12;6;1;0;16;1',
      '12;6;1;0;16;0',
      PRESENT_VIBRATION,
      '12;7;1;0;16;1',
      '12;7;1;0;37;3.5',
    ];
    expect(all(lines, { place: 'hall' }).readings).toEqual([
      { collar: 'unknown', atMs: 9, motion: true, place: 'hall', sensor: '12/6' },
      { collar: 'unknown', atMs: 9, motion: false, place: 'hall', sensor: '12/6' },
      { collar: '12', atMs: 9, shake: 1, place: 'hall' },
      { collar: '12', atMs: 9, shake: 3.5, place: 'hall' },
    ]);
  });

  it('reads the battery of a node', () => {
    expect(all(['1;255;3;0;0;79']).readings).toEqual([{ collar: '1', atMs: 9, batteryPercent: 79 }]);
    expect(reasons(all(['1;255;3;0;0;full', '1;255;3;0;0;101']))).toEqual(['bad-value', 'bad-value']);
  });

  it('knows from the configuration what was presented before it listened', () => {
    const sensors = { '12/7': { kind: 'shake', collar: 'tom' }, '13': { kind: 'motion', place: 'shed' } } as const;
    expect(all(['12;7;1;0;16;1', '13;1;1;0;16;1'], { sensors }).readings).toEqual([
      { collar: 'tom', atMs: 9, shake: 1 },
      { collar: 'unknown', atMs: 9, motion: true, place: 'shed', sensor: '13/1' },
    ]);
  });

  it('asks what a child is that it does not know', () => {
    const total = mysensors().push(text('12;7;1;0;16;1\n'), 9);
    expect(total.discards.map(({ reason }) => reason)).toEqual(['no-sensor']);
    expect(total.requests).toEqual([{ type: 'presentation', node: 12, child: 7 }]);
  });

  it('hands on what nodes ask for', () => {
    const decoder = mysensors();
    const { requests } = decoder.push(text('255;255;3;0;3;\n7;255;3;0;1;\n7;255;3;0;6;0\n'), 9);
    expect(requests).toEqual([
      { type: 'id', node: 255, child: 255, heard: [255] },
      { type: 'time', node: 7, child: 255 },
      { type: 'config', node: 7, child: 255 },
    ]);
    expect(decoder.push(text('1;255;3;0;11;x\n'), 9)).not.toHaveProperty('requests');
  });

  it.each([
    '1;1;1;0;1;75',
    '1;255;0;0;17;1.5.0',
    '1;255;3;0;11;lighthum demo sens',
    '0;255;3;0;14;Gateway startup complete.',
    '255;255;3;0;3;',
    '1;255;4;0;0;01000200B00626E80300',
    '12;6;2;0;16;',
    '12;6;1;1;16;1',
    '12;8;1;0;37;3',
  ])('says nothing of a collar: %s', (line) => {
    expect(reasons(all([line]))).toEqual(['no-reading']);
  });

  it('says nothing where a child is something else', () => {
    const lines = ['12;8;0;0;3;lamp', '12;8;1;0;16;1', PRESENT_MOTION, '12;6;1;0;37;1'];
    expect(reasons(all(lines))).toEqual(['no-reading', 'no-reading', 'no-reading', 'no-reading']);
  });

  it.each([
    ['bad-format', '12;6;1;0;16'],
    ['bad-format', '256;6;1;0;16;1'],
    ['bad-format', '12;256;1;0;16;1'],
    ['bad-format', '12;6;5;0;16;1'],
    ['bad-format', '12;6;1;0;256;1'],
    ['bad-format', ';6;1;0;16;1'],
    ['bad-value', '12;6;1;0;16;2'],
    ['bad-value', '12;6;1;0;16;'],
    ['bad-value', '12;6;1;0;16;on'],
  ])('discards as %s: %s', (reason, line) => {
    expect(reasons(all([PRESENT_MOTION, line, '12;6;1;0;16;1']))).toEqual(['no-reading', reason]);
  });

  describeLines(mysensors, [PRESENT_MOTION, '12;6;1;0;16;1', '1;255;3;0;0;79', '255;255;3;0;3;', '9;9;1;0;16;1']);
});
