/** Rows of values. */
import { bytes, type FuzzTarget } from '../target.ts';
import { decoderTarget } from './decoder.ts';

export function open(): FuzzTarget {
  return decoderTarget({
    variants: [
      { format: 'csv' },
      { format: 'csv', columns: ['t', 'collar', 'ax', 'ay', 'az', 'n'], unit: 'mg', place: 'hall' },
      { format: 'csv', unit: 16_384, collar: 'tom' },
    ],
    seeds: [
      't_ms,ax_g,ay_g,az_g\n0,0,0,1\n20,0.01,-0.02,0.99\n',
      't_ms;rssi_1;rssi_garden;place\r\n5;-50;;kitchen\r\n6;-51;-70;hall\r\n',
      'collar\tn\tshake\tmotion\tbattery\trssi\nA\t1\t0\t1\t83\t-61\nA\t1\t0\t1\t83\t-61\nA\t7\t2.5\t0\t82\t-60\n',
      '# note\nax_ms2,ay_mg,az\n9.8,12,1\n\nax,ay,az\n1,2,3\n"ax","ay","az"\n1e3,.5,5.\n',
      '1000,C1,12,-20,990,3\n1020,C1,12,-20,990,4\n',
    ].map(bytes),
    words: [
      't_ms',
      't',
      'collar',
      'n',
      'ax_g',
      'ay_mg',
      'az_ms2',
      'rssi_',
      'battery',
      'motion',
      '\n',
      '\r\n',
      ',',
      ';',
      '\t',
      '"',
    ],
    maxBytes: 6_000,
    terminator: 0x0a,
    isSeparator: () => false,
  });
}
