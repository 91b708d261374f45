/** Advertisements of RuuviTags in hex. */
import { bytes, type FuzzTarget } from '../target.ts';
import { decoderTarget } from './decoder.ts';

export function open(): FuzzTarget {
  return decoderTarget({
    variants: [
      { format: 'ruuvi' },
      { format: 'ruuvi', place: 'hall', collar: 'tom' },
      { format: 'ruuvi', sensors: { CBB8334C884F: { collar: 'tom' }, constructor: { place: 'x' } } },
    ],
    seeds: [
      '0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F\r\n',
      'CB:B8:33:4C:88:4F -61 0201061BFF99040512FC5394C37C0004FFFC040CAC364200CECBB8334C884F\n',
      '058000FFFFFFFF800080008000FFFFFFFFFFFFFFFFFFFFFF\n# note\n',
    ].map(bytes),
    words: ['9904', '05', 'FF', '8000', 'CB:B8:33:4C:88:4F ', ' -61', '\r\n', '#'],
    maxBytes: 6_000,
    terminator: 0x0a,
    isSeparator: () => false,
  });
}
