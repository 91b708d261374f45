/** A straight line through what was measured along the way. Pure. */
export interface Slope {
  /** Of y for each unit of x. */
  readonly perUnit: number;
  /** Half the interval of 95 %, as if the points told nothing of one another; Infinity for fewer than three. */
  readonly plusMinus: number;
  readonly points: number;
}

/** Student's t for 95 %, two-sided, by degrees of freedom. */
const T: readonly (readonly [from: number, t: number])[] = [
  ...([
    [1, 12.71],
    [2, 4.3],
    [3, 3.18],
    [4, 2.78],
    [5, 2.57],
    [6, 2.45],
    [8, 2.31],
    [10, 2.23],
    [15, 2.13],
  ] as const),
  ...([
    [20, 2.09],
    [30, 2.04],
    [60, 2.0],
    [120, 1.98],
  ] as const),
];

/** Least squares. NaN where all x are the same. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): Slope {
  const n = points.length;
  const mean = (of: 0 | 1) => points.reduce((sum, point) => sum + point[of], 0) / n;
  const [xMean, yMean] = [mean(0), mean(1)];
  const sxx = points.reduce((sum, [x]) => sum + (x - xMean) ** 2, 0);
  const sxy = points.reduce((sum, [x, y]) => sum + (x - xMean) * (y - yMean), 0);
  const perUnit = sxx === 0 ? Number.NaN : sxy / sxx;
  const rest = points.reduce((sum, [x, y]) => sum + (y - yMean - perUnit * (x - xMean)) ** 2, 0);
  const freedom = n - 2;
  const t = T.findLast(([from]) => from <= freedom)?.[1] ?? Number.POSITIVE_INFINITY;
  const plusMinus = freedom < 1 ? Number.POSITIVE_INFINITY : t * Math.sqrt(rest / freedom / sxx);
  return { perUnit, plusMinus, points: n };
}
