/** Millions of delays in a little memory: counted by size, each size 2 % wider than the one before. Pure. */
const STEP = Math.log(1.02);
/** What is shorter counts as so long. */
const LEAST_MS = 0.1;

export interface Lags {
  add(ms: number): void;
  readonly count: number;
  readonly maxMs: number;
  /** The delay that this share of all does not exceed, 1 % too large or small at most; NaN where there is none. */
  at(share: number): number;
  clear(): void;
}

export function createLags(): Lags {
  const counts = new Map<number, number>();
  let [count, maxMs] = [0, 0];
  return {
    add(ms) {
      const size = Math.round(Math.log(Math.max(LEAST_MS, ms) / LEAST_MS) / STEP);
      counts.set(size, (counts.get(size) ?? 0) + 1);
      count += 1;
      maxMs = Math.max(maxMs, ms);
    },
    get count() {
      return count;
    },
    get maxMs() {
      return maxMs;
    },
    at(share) {
      let left = Math.max(1, Math.ceil(count * share));
      for (const [size, many] of [...counts].sort(([a], [b]) => a - b)) {
        left -= many;
        if (left <= 0) return Math.min(maxMs, LEAST_MS * Math.exp(size * STEP));
      }
      return Number.NaN;
    },
    clear() {
      counts.clear();
      [count, maxMs] = [0, 0];
    },
  };
}
