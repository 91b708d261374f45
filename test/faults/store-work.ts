/** What is committed into central's store in `store-cuts`, one work after the other: the same for who writes and who looks for it. */

/** Of one batch. */
export const BATCH_EVENTS = 3;

/** Work `n` is a cat of this name, or, null, the batch that ends with event `lastSeqOf(n)`. */
export function catOf(n: number): string | null {
  return n % 2 === 1 ? `cat ${n}` : null;
}

export function lastSeqOf(n: number): number {
  return Math.floor(n / 2) * BATCH_EVENTS;
}
