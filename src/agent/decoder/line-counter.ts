/** Loss and duplicates by the counter in a line, whose width often only the sender knows. */
import { createBoundedMap, MAX_COLLARS } from './bounded-map.ts';

/** A longer jump, or one back that is no wrap, is a restart of the sender and no loss. */
const MAX_LOST = 1000;
/** Counters wrap at 8, 16 or 32 bits; a wrap is believed when it loses few. */
const WRAPS = [2 ** 8, 2 ** 16, 2 ** 32];
const MAX_LOST_AT_WRAP = 16;
/** Of a counter that wraps, a jump of so much of its range is a restart. */
const LOST_SHARE = 1 / 4;

export interface LineCounter {
  /**
   * Samples lost before this one, or 'duplicate'. One `sender` is one collar as heard by one receiver. `wrap`: what the
   * counter wraps at, where the format says it.
   */
  next(sender: string, counter: number, wrap?: number): number | 'duplicate';
}

export function createLineCounter(): LineCounter {
  const last = createBoundedMap<string, number>(MAX_COLLARS);
  return {
    next(sender, counter, wrap) {
      const before = last.get(sender);
      last.set(sender, counter);
      if (before === undefined) return 0;
      if (before === counter) return 'duplicate';
      if (wrap !== undefined) {
        const lost = (counter - before - 1 + wrap) % wrap;
        return lost <= Math.min(MAX_LOST, wrap * LOST_SHARE) ? lost : 0;
      }
      if (counter > before) return counter - before - 1 <= MAX_LOST ? counter - before - 1 : 0;
      for (const wrap of WRAPS) {
        const lost = counter + wrap - before - 1;
        if (before < wrap && lost <= MAX_LOST_AT_WRAP) return lost;
      }
      return 0;
    },
  };
}
