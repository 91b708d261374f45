/** A seeded random generator (sfc32 by Chris Doty-Humphrey, PractRand): the same seed gives the same house. */

export interface Random {
  /** From 0 to below 1. */
  next(): number;
  between(min: number, max: number): number;
  /** A whole number from `min` to `max`. */
  whole(min: number, max: number): number;
  /** Mean 0, standard deviation 1. */
  normal(): number;
  pick<const T>(items: readonly [T, ...T[]]): T;
}

/** `stream` gives independent generators of one seed: adding a collar does not change the others. */
export function createRandom(seed: number, stream: number): Random {
  let a = seed | 0;
  let b = Math.floor(seed / 2 ** 32) | 0;
  let c = stream | 0;
  let counter = 1;
  const next = () => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 15; i++) next();
  return {
    next,
    between: (min, max) => min + (max - min) * next(),
    whole: (min, max) => min + Math.floor((max - min + 1) * next()),
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    pick: (items) => items[Math.floor(items.length * next())] ?? items[0],
  };
}
