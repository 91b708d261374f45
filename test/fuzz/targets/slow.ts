/** A fault of the kind that takes time: a pattern that tries every way to share out what repeats. */
import { bytes, type FuzzTarget } from '../target.ts';

export function open(): FuzzTarget {
  return { seeds: [bytes('pppppppppp')], words: ['p'], maxBytes: 28, run: purr };
}

function purr(input: Uint8Array): void {
  /^(p+)+$/.test(Buffer.from(input).toString('latin1'));
}
