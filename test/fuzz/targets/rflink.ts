/** Messages of an RFLink gateway. */
import { bytes, type FuzzTarget } from '../target.ts';
import { decoderTarget } from './decoder.ts';

export function open(): FuzzTarget {
  return decoderTarget({
    variants: [
      { format: 'rflink' },
      {
        format: 'rflink',
        place: 'hall',
        sensors: {
          AA66: { place: 'shed' },
          '008440e6': { kind: 'shake', collar: 'tom' },
          valueOf_: { kind: 'motion' },
        },
      },
    ],
    seeds: [
      '20;12;Pir;ID=aa66;PIR=ON;BAT=LOW;\r\n',
      '20;06;NewKaku;ID=008440e6;SWITCH=a;CMD=OFF;RSSI=-70;\n',
      '20;00;Nodo RadioFrequencyLink - RFLink Gateway V1.1 - R46;\n20;01;PONG;\n',
    ].map(bytes),
    words: ['20;', 'ID=', 'PIR=', 'CMD=', 'RSSI=', 'ALLON', 'BAT=LOW;', '\r\n', '#'],
    maxBytes: 6_000,
    terminator: 0x0a,
    isSeparator: () => false,
  });
}
