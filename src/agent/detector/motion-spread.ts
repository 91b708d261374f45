/**
 * How strong, how fast and how straight the newest bins of a window move, from sums that grow bin by bin: what is said of 0.2 s is
 * gone on with for half a second, and that for a whole one.
 */
import { BIN_MS } from './motion-window.ts';

/** Against a division by nothing, in g². */
export const TINY = 1e-6;

/** Dynamic acceleration of bins, newest first, and whether it is known. */
export interface Bins {
  readonly d: Float64Array;
  readonly known: Uint8Array;
  readonly strength: Float64Array;
}

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
}

export interface Spread {
  meanSquare: number;
  hertz: number;
  line: number;
  /** The main axis. */
  x: number;
  y: number;
  z: number;
}

export function createSums(): Sums {
  return { n: 0, x: 0, y: 0, z: 0, xx: 0, yy: 0, zz: 0, xy: 0, xz: 0, yz: 0, steps: 0, stepSquares: 0 };
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
}

/** Takes in the bins from `from` to `to`, newest first, and how strong each was. */
export function addSums(sums: Sums, { d, known, strength }: Bins, from: number, to: number): void {
  let { n, x: ax, y: ay, z: az, xx, yy, zz, xy, xz, yz, steps, stepSquares } = sums;
  for (let i = from; i < to; i += 1) {
    if (known[i] === 0) continue;
    const x = d[3 * i] ?? 0;
    const y = d[3 * i + 1] ?? 0;
    const z = d[3 * i + 2] ?? 0;
    strength[i] = Math.sqrt(x * x + y * y + z * z);
    ax += x;
    ay += y;
    az += z;
    xx += x * x;
    yy += y * y;
    zz += z * z;
    xy += x * y;
    xz += x * z;
    yz += y * z;
    n += 1;
    if (i === 0 || known[i - 1] === 0) continue;
    const sx = (d[3 * i - 3] ?? 0) - x;
    const sy = (d[3 * i - 2] ?? 0) - y;
    const sz = (d[3 * i - 1] ?? 0) - z;
    stepSquares += sx * sx + sy * sy + sz * sz;
    steps += 1;
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
}

export function meanSquareOf({ n, x, y, z, xx, yy, zz }: Sums): number {
  return Math.max(0, (xx + yy + zz) / n - (x * x + y * y + z * z) / (n * n)) + TINY;
}

/** How far the farthest of the newest `count` bins lies from their mean, by their strength. */
export function crestOf(sums: Sums, { d, known }: Bins, count: number, meanSquare: number): number {
  const { n } = sums;
  const [ax, ay, az] = [sums.x / n, sums.y / n, sums.z / n];
  let most = 0;
  for (let i = 0; i < count; i += 1) {
    if (known[i] === 0) continue;
    const x = (d[3 * i] ?? 0) - ax;
    const y = (d[3 * i + 1] ?? 0) - ay;
    const z = (d[3 * i + 2] ?? 0) - az;
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
  let [vx, vy, vz] = xx >= yy && xx >= zz ? [1, 0.3, 0.3] : yy >= zz ? [0.3, 1, 0.3] : [0.3, 0.3, 1];
  for (let round = 0; round < 4; round += 1) {
    const x = xx * vx + xy * vy + xz * vz;
    const y = xy * vx + yy * vy + yz * vz;
    const z = xz * vx + yz * vy + zz * vz;
    const length = Math.sqrt(x * x + y * y + z * z) + 1e-12;
    [vx, vy, vz] = [x / length, y / length, z / length];
  }
  const main =
    vx * (xx * vx + xy * vy + xz * vz) + vy * (xy * vx + yy * vy + yz * vz) + vz * (xz * vx + yz * vy + zz * vz);
  spread.line = main / (sum + 1e-9);
  spread.x = vx;
  spread.y = vy;
  spread.z = vz;
}
