/** What a bad line does to bytes: each chunk may be damaged, cut short, or follow a burst of rubbish. */
import { createRandom, type Random } from './random.ts';

const MAX_BURST_BYTES = 32;

export interface Noise {
  /** The chunk as it arrives. */
  disturb(chunk: Uint8Array): Uint8Array;
  readonly disturbed: number;
}

/** `share` of the chunks are disturbed, from 0 to 1. The same seed disturbs the same chunks in the same way. */
export function createNoise(share: number, seed: number): Noise {
  const random = createRandom(seed, -1);
  let disturbed = 0;
  return {
    disturb(chunk) {
      if (share === 0 || random.next() >= share) return chunk;
      disturbed++;
      switch (random.whole(0, 2)) {
        case 0:
          return flip(chunk, random);
        case 1:
          return chunk.subarray(0, random.whole(0, chunk.length - 1));
        default:
          return Buffer.concat([burst(random), chunk]);
      }
    },
    get disturbed() {
      return disturbed;
    },
  };
}

function flip(chunk: Uint8Array, random: Random): Uint8Array {
  const damaged = Uint8Array.from(chunk);
  const at = random.whole(0, damaged.length - 1);
  damaged[at] = (damaged[at] ?? 0) ^ random.whole(1, 255);
  return damaged;
}

function burst(random: Random): Uint8Array {
  return Uint8Array.from({ length: random.whole(1, MAX_BURST_BYTES) }, () => random.whole(0, 255));
}
