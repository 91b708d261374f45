/** Cayenne LPP in hex. */
import { bytes, type FuzzTarget } from '../target.ts';
import { decoderTarget } from './decoder.ts';

export function open(): FuzzTarget {
  return decoderTarget({
    variants: [
      { format: 'cayenne', collar: 'tom' },
      { format: 'cayenne', place: 'hall' },
    ],
    seeds: ['067104D2FB2E0000\r\n', 'A840411234567890 -110 01670110067104D2FB2E000007785a\n026601\n'].map(bytes),
    words: ['71', '66', '78', '86', 'A840411234567890 ', ' -110', '\r\n', '#'],
    maxBytes: 6_000,
    terminator: 0x0a,
    isSeparator: () => false,
  });
}
