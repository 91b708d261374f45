/** What is left of ranges without others. Pure. */
import type { SeqRange } from '../../contract/message.ts';

const NONE: SeqRange = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];

/** What of sorted ranges lies in none of `others`. */
export function without(ranges: readonly SeqRange[], others: readonly SeqRange[]): readonly SeqRange[] {
  const sorted = [...others].sort((a, b) => a[0] - b[0]);
  const left: SeqRange[] = [];
  let at = 0;
  for (const [from, to] of ranges) {
    let next = from;
    while ((sorted[at] ?? NONE)[1] < from) at += 1;
    for (let i = at; next <= to; i += 1) {
      const [a, b] = sorted[i] ?? NONE;
      if (a > to) break;
      if (a > next) left.push([next, a - 1]);
      next = Math.max(next, b + 1);
    }
    if (next <= to) left.push([next, to]);
  }
  return left;
}
