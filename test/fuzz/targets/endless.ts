/** A fault of the kind that never ends. */
import { bytes, type FuzzTarget } from '../target.ts';

export function open(): FuzzTarget {
  return { seeds: [bytes('purring cat')], words: [], maxBytes: 64, run: purr };
}

function purr(input: Uint8Array): void {
  while (input.length > 16) if (input.length === 0) return;
}
