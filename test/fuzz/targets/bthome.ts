/** BTHome in hex, with and without a bind key. */
import { bytes, type FuzzTarget } from '../target.ts';
import { decoderTarget } from './decoder.ts';

export function open(): FuzzTarget {
  return decoderTarget({
    variants: [
      { format: 'bthome', collar: 'tom' },
      { format: 'bthome', place: 'hall', bindKeys: { '54:48:E6:8F:80:A5': '231d39c1d7cc1ab1aee224cd096db932' } },
      {
        format: 'bthome',
        collar: '5448E68F80A5',
        bindKeys: { '5448E68F80A5': '231d39c1d7cc1ab1aee224cd096db932', x: '00' },
      },
    ],
    seeds: [
      '400009015d2c01\n44518756\r\n406300d0ff006300d0ff006300d0ff00\n',
      '54:48:E6:8F:80:A5 -61 4187b90011223372b0231f\n',
      '0A16D2FC4002C40903BF13\n4053022c012101\n',
    ].map(bytes),
    words: [
      '40',
      '41',
      'D2FC',
      '16',
      '53',
      '63',
      '2c01',
      '54:48:E6:8F:80:A5 ',
      '4187b90011223372b0231f',
      ' -61',
      '\r\n',
      '#',
    ],
    maxBytes: 6_000,
    terminator: 0x0a,
    isSeparator: () => false,
  });
}
