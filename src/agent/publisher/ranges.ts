/** Sets of seqs as sorted, disjoint, closed ranges that do not touch. Pure. */
import type { SeqRange } from '../../contract/message.ts';

export type Ranges = readonly SeqRange[];

/** [from, to], or nothing where from > to. */
export function span(from: number, to: number): Ranges {
  return from > to ? [] : [[from, to]];
}

export function union(a: Ranges, b: Ranges): Ranges {
  const merged: [number, number][] = [];
  for (const [from, to] of [...a, ...b].sort((x, y) => x[0] - y[0])) {
    const last = merged.at(-1);
    if (last === undefined || from > last[1] + 1) merged.push([from, to]);
    else if (to > last[1]) last[1] = to;
  }
  return merged;
}

export function without(a: Ranges, b: Ranges): Ranges {
  const kept: SeqRange[] = [];
  for (const [from, to] of a) {
    let next = from;
    for (const [cutFrom, cutTo] of b) {
      if (cutTo < next || cutFrom > to) continue;
      if (cutFrom > next) kept.push([next, cutFrom - 1]);
      next = cutTo + 1;
    }
    if (next <= to) kept.push([next, to]);
  }
  return kept;
}

/** What lies in both. */
export function both(a: Ranges, b: Ranges): Ranges {
  return without(a, without(a, b));
}

/** What lies within [from, to]. */
export function clip(a: Ranges, from: number, to: number): Ranges {
  const kept: SeqRange[] = [];
  for (const range of a) {
    const [low, high] = [Math.max(from, range[0]), Math.min(to, range[1])];
    if (low <= high) kept.push([low, high]);
  }
  return kept;
}

export function has(a: Ranges, seq: number): boolean {
  return a.some(([from, to]) => from <= seq && seq <= to);
}

export function count(a: Ranges): number {
  return a.reduce((sum, [from, to]) => sum + to - from + 1, 0);
}
