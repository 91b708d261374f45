/** A fault behind six bytes that are compared one after the other. By chance it takes some 10^14 inputs to find. */
import { bytes, type FuzzTarget } from '../target.ts';

export function open(): FuzzTarget {
  return { seeds: [bytes('purring cat')], words: [], maxBytes: 64, run: purr };
}

function purr(input: Uint8Array): void {
  if (input[0] !== 0x6d) return;
  if (input[1] !== 0xe9) return;
  if (input[2] !== 0x6f) return;
  if (input[3] !== 0x77) return;
  if (input[4] !== 0x21) return;
  if (input[5] !== 0x03) return;
  throw new Error('the planted fault');
}
