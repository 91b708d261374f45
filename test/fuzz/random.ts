/** Seeded randomness that costs little: xorshift32. */

export interface Random {
  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number;
}

export function createRandom(seed: number): Random {
  let state = Math.imul(seed + 1, 0x9e3779b9) | 1;
  return {
    below(limit) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) % limit;
    },
  };
}
