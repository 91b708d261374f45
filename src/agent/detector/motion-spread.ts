/**
 * How strong, how fast and how straight the newest bins of a window move, from sums that grow bin by bin: what is said of 0.2 s is
 * gone on with for half a second, and that for a whole one. Each look runs this over all bins: numbers stay in locals of their
 * own here, for one that is taken out of an array is put on the heap, at several times the price of the sum.
 */
import { BIN_MS, BINS, type MotionWindow } from './motion-window.ts';

/** Against a division by nothing, in g². */
export const TINY = 1e-6;

/** Sums over the newest bins, up to some of them: a description reads them while they grow. */
export interface Sums {
  n: number;
  x: number;
  y: number;
  z: number;
  xx: number;
  yy: number;
  zz: number;
  xy: number;
  xz: number;
  yz: number;
  steps: number;
  stepSquares: number;
  /** The bin taken in last was known: there is a step to the next. */
  lastKnown: boolean;
}

export interface Spread {
  meanSquare: number;
  hertz: number;
  line: number;
  /** Squares along the main axis, summed. */
  main: number;
  /** The main axis. */
  x: number;
  y: number;
  z: number;
}

export function createSums(): Sums {
  return {
    n: 0,
    x: 0,
    y: 0,
    z: 0,
    xx: 0,
    yy: 0,
    zz: 0,
    xy: 0,
    xz: 0,
    yz: 0,
    steps: 0,
    stepSquares: 0,
    lastKnown: false,
  };
}

export function emptySums(sums: Sums): void {
  sums.n = 0;
  sums.x = 0;
  sums.y = 0;
  sums.z = 0;
  sums.xx = 0;
  sums.yy = 0;
  sums.zz = 0;
  sums.xy = 0;
  sums.xz = 0;
  sums.yz = 0;
  sums.steps = 0;
  sums.stepSquares = 0;
  sums.lastKnown = false;
}

/** Takes in what is known of the bins from `from` to `to`, newest first, and lists it in `bins`: x, y, z, `gain` times. */
export function addSums(sums: Sums, w: MotionWindow, from: number, to: number, gain: number, bins: Float64Array): void {
  let { n, x: ax, y: ay, z: az, xx, yy, zz, xy, xz, yz, steps, stepSquares, lastKnown } = sums;
  let k = 3 * n;
  let nextX = lastKnown ? (bins[k - 3] ?? 0) : 0;
  let nextY = lastKnown ? (bins[k - 2] ?? 0) : 0;
  let nextZ = lastKnown ? (bins[k - 1] ?? 0) : 0;
  let j = from > w.head ? w.head - from + BINS : w.head - from;
  for (let i = from; i < to; i += 1, j = j === 0 ? BINS - 1 : j - 1) {
    if (w.known[j] === 0) {
      lastKnown = false;
      continue;
    }
    const x = gain * (w.xyz[3 * j] ?? 0);
    const y = gain * (w.xyz[3 * j + 1] ?? 0);
    const z = gain * (w.xyz[3 * j + 2] ?? 0);
    bins[k] = x;
    bins[k + 1] = y;
    bins[k + 2] = z;
    k += 3;
    n += 1;
    ax += x;
    ay += y;
    az += z;
    xx += x * x;
    yy += y * y;
    zz += z * z;
    xy += x * y;
    xz += x * z;
    yz += y * z;
    if (lastKnown) {
      const sx = nextX - x;
      const sy = nextY - y;
      const sz = nextZ - z;
      stepSquares += sx * sx + sy * sy + sz * sz;
      steps += 1;
    }
    lastKnown = true;
    nextX = x;
    nextY = y;
    nextZ = z;
  }
  sums.n = n;
  sums.x = ax;
  sums.y = ay;
  sums.z = az;
  sums.xx = xx;
  sums.yy = yy;
  sums.zz = zz;
  sums.xy = xy;
  sums.xz = xz;
  sums.yz = yz;
  sums.steps = steps;
  sums.stepSquares = stepSquares;
  sums.lastKnown = lastKnown;
}

export function meanSquareOf({ n, x, y, z, xx, yy, zz }: Sums): number {
  return Math.max(0, (xx + yy + zz) / n - (x * x + y * y + z * z) / (n * n)) + TINY;
}

/** How far the farthest of the bins so far lies from their mean, by their strength. */
export function crestOf({ n, x: ax, y: ay, z: az }: Sums, bins: Float64Array, meanSquare: number): number {
  const meanX = ax / n;
  const meanY = ay / n;
  const meanZ = az / n;
  let most = 0;
  for (let k = 0; k < 3 * n; k += 3) {
    const x = (bins[k] ?? 0) - meanX;
    const y = (bins[k + 1] ?? 0) - meanY;
    const z = (bins[k + 2] ?? 0) - meanZ;
    const square = x * x + y * y + z * z;
    if (square > most) most = square;
  }
  return Math.sqrt(most / meanSquare);
}

/** Of the bins so far: strength, mean frequency, and how far they lie along one line, which is x, y, z. */
export function spreadOf(sums: Sums, spread: Spread): void {
  const { n, x: ax, y: ay, z: az, steps, stepSquares } = sums;
  const xx = sums.xx - (ax * ax) / n;
  const yy = sums.yy - (ay * ay) / n;
  const zz = sums.zz - (az * az) / n;
  const xy = sums.xy - (ax * ay) / n;
  const xz = sums.xz - (ax * az) / n;
  const yz = sums.yz - (ay * az) / n;
  const sum = Math.max(0, xx + yy + zz);
  spread.meanSquare = sum / n + TINY;
  const step = steps === 0 ? 0 : stepSquares / steps;
  spread.hertz = Math.asin(Math.min(1, Math.sqrt(step / spread.meanSquare) / 2)) / (Math.PI * (BIN_MS / 1_000));
  // Power iteration: the direction of the main axis, and its share.
  let vx = xx >= yy && xx >= zz ? 1 : 0.3;
  let vy = vx === 1 || yy < zz ? 0.3 : 1;
  let vz = vx === 1 || vy === 1 ? 0.3 : 1;
  for (let round = 0; round < 4; round += 1) {
    const x = xx * vx + xy * vy + xz * vz;
    const y = xy * vx + yy * vy + yz * vz;
    const z = xz * vx + yz * vy + zz * vz;
    const share = 1 / (Math.sqrt(x * x + y * y + z * z) + 1e-12);
    vx = share * x;
    vy = share * y;
    vz = share * z;
  }
  const main =
    vx * (xx * vx + xy * vy + xz * vz) + vy * (xy * vx + yy * vy + yz * vz) + vz * (xz * vx + yz * vy + zz * vz);
  spread.main = main;
  spread.line = main / (sum + 1e-9);
  spread.x = vx;
  spread.y = vy;
  spread.z = vz;
}
