/** Messages of a MySensors gateway. */
import { bytes, type FuzzTarget } from '../target.ts';
import { decoderTarget } from './decoder.ts';

export function open(): FuzzTarget {
  return decoderTarget({
    variants: [
      { format: 'mysensors' },
      { format: 'mysensors', place: 'hall', collar: 'tom' },
      {
        format: 'mysensors',
        sensors: { '12/7': { kind: 'shake', collar: 'tom' }, '13': { kind: 'motion' } },
      },
    ],
    seeds: [
      '12;6;0;0;1;My motion sensor\n12;6;1;0;16;1\r\n',
      '12;7;0;0;34;collar\n12;7;1;0;16;1\n12;7;1;0;37;3.5\n',
      '1;255;3;0;0;79\n255;255;3;0;3;\n13;1;1;0;16;0\n',
    ].map(bytes),
    words: [';16;1', ';0;0;34;', ';255;3;0;0;', '12;7', '\r\n', '#'],
    maxBytes: 6_000,
    terminator: 0x0a,
    isSeparator: () => false,
  });
}
