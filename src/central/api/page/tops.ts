/** Where the rows of a long list are: measured where they were drawn, guessed where not. Pure but for what it keeps. */

/** A row that was never drawn. */
export const GUESS_PX = 44;

export interface Tops {
  /** The rows that there are, in order. */
  set(keys: readonly string[]): void;
  /** True where that is news. */
  measured(key: string, heightPx: number): boolean;
  /** What was measured counts no more. */
  clear(): void;
  /** The upper edge of a row; of the last one plus one: the lower edge of all. */
  of(index: number): number;
  /** The row at a height; the nearest where there is none. */
  at(y: number): number;
}

export function createTops(): Tops {
  let keys: readonly string[] = [];
  /** Null: they must be added up again. */
  let tops: Float64Array | null = null;
  const heights = new Map<string, number>();
  const all = () => {
    if (tops === null) {
      tops = new Float64Array(keys.length + 1);
      for (const [i, key] of keys.entries()) tops[i + 1] = (tops[i] ?? 0) + (heights.get(key) ?? GUESS_PX);
    }
    return tops;
  };
  return {
    set(now) {
      keys = now;
      tops = null;
      // Heights of rows that are gone are not kept for ever.
      if (heights.size <= 2 * keys.length + 100) return;
      const kept = new Set(keys);
      for (const key of heights.keys()) if (!kept.has(key)) heights.delete(key);
    },
    measured(key, heightPx) {
      if (heights.get(key) === heightPx) return false;
      heights.set(key, heightPx);
      tops = null;
      return true;
    },
    clear() {
      heights.clear();
      tops = null;
    },
    of: (index) => all()[index] ?? 0,
    at(y) {
      const edges = all();
      let [low, high] = [0, Math.max(0, keys.length - 1)];
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if ((edges[middle] ?? 0) <= y) low = middle;
        else high = middle - 1;
      }
      return low;
    },
  };
}
