/**
 * What the last second of acceleration says about shaking, in numbers that depend neither on how the collar has turned on the neck
 * nor on 1 g at rest: how strong, how fast, along one line or not, as far to one side as to the other, across gravity or along it
 * (gait bobs up and down, and hits the ground one-sidedly). The order is that of the forest's inputs.
 */
import { BIN_MS, BINS, type MotionWindow } from './motion-window.ts';

export const FEATURES = [
  ...['strength200', 'strength500', 'strength1000', 'hertz500', 'hertz1000', 'line500', 'line1000', 'crest500'],
  ...['turns', 'strongTurns', 'skew', 'alongGravity', 'pull', 'leastPull', 'mostPull', 'balance'],
] as const;

const SHORT_BINS = 10;
const HALF_BINS = 25;
/** Turns back and forth are counted over 0.72 s. */
const TURN_BINS = 36;
const LEAST_BINS = 8;
/** cos 127°: the next swing must point back. Circles turn aside instead. */
const TURNED_BACK = -0.6;
const STRONG_TURN_G = 0.5;
const WEAKEST_TURN_G = 0.1;
const TINY = 1e-6;

/** Room for one description, reused for all collars. */
export interface Workspace {
  readonly features: Float64Array;
  /** Dynamic acceleration, newest first, and whether it is known. */
  readonly d: Float64Array;
  readonly known: Uint8Array;
  readonly strength: Float64Array;
  readonly spread: Spread;
}

interface Spread {
  meanSquare: number;
  hertz: number;
  line: number;
  crest: number;
  x: number;
  y: number;
  z: number;
}

export function createWorkspace(): Workspace {
  return {
    features: new Float64Array(FEATURES.length),
    d: new Float64Array(3 * BINS),
    known: new Uint8Array(BINS),
    strength: new Float64Array(BINS),
    spread: { meanSquare: 0, hertz: 0, line: 0, crest: 0, x: 0, y: 0, z: 0 },
  };
}

/** Fills `features`. False: too little is known. `gain`: dynamic acceleration counts so many times. */
export function describeMotion(w: MotionWindow, gain: number, work: Workspace): boolean {
  const { features: f, d, known, strength, spread } = work;
  const { count } = w;
  let [gx, gy, gz, bins] = [0, 0, 0, 0];
  for (let i = 0, j = w.head; i < count; i += 1, j = j === 0 ? BINS - 1 : j - 1) {
    known[i] = w.known[j] ?? 0;
    if (known[i] === 0) continue;
    gx += d[3 * i] = w.xyz[3 * j] ?? 0;
    gy += d[3 * i + 1] = w.xyz[3 * j + 1] ?? 0;
    gz += d[3 * i + 2] = w.xyz[3 * j + 2] ?? 0;
    bins += 1;
  }
  if (count < SHORT_BINS || bins < LEAST_BINS) return false;
  gx /= bins;
  gy /= bins;
  gz /= bins;
  for (let i = 0; i < count; i += 1) {
    const x = gain * ((d[3 * i] ?? 0) - gx);
    const y = gain * ((d[3 * i + 1] ?? 0) - gy);
    const z = gain * ((d[3 * i + 2] ?? 0) - gz);
    d[3 * i] = x;
    d[3 * i + 1] = y;
    d[3 * i + 2] = z;
    strength[i] = Math.sqrt(x * x + y * y + z * z);
  }
  f[0] = 0.5 * Math.log(meanSquareOf(work, Math.min(SHORT_BINS, count)));
  spreadOf(work, Math.min(HALF_BINS, count));
  f[1] = 0.5 * Math.log(spread.meanSquare);
  f[3] = spread.hertz;
  f[5] = spread.line;
  f[7] = spread.crest;
  const rms500 = Math.sqrt(spread.meanSquare);
  spreadOf(work, count);
  f[2] = 0.5 * Math.log(spread.meanSquare);
  f[4] = spread.hertz;
  f[6] = spread.line;
  f[8] = turns(work, count, Math.max(WEAKEST_TURN_G, 0.5 * rms500));
  f[9] = turns(work, count, STRONG_TURN_G);
  sides(work, count, gx, gy, gz);
  pulls(work, count, gx, gy, gz, rms500);
  return true;
}

function meanSquareOf({ d, known }: Workspace, count: number): number {
  let [n, ax, ay, az, squares] = [0, 0, 0, 0, 0];
  for (let i = 0; i < count; i += 1) {
    if (known[i] === 0) continue;
    const x = d[3 * i] ?? 0;
    const y = d[3 * i + 1] ?? 0;
    const z = d[3 * i + 2] ?? 0;
    ax += x;
    ay += y;
    az += z;
    squares += x * x + y * y + z * z;
    n += 1;
  }
  return Math.max(0, squares / n - (ax * ax + ay * ay + az * az) / (n * n)) + TINY;
}

/** Of the newest `count` bins: strength, mean frequency, and how far they lie along one line, which is x, y, z. */
function spreadOf({ d, known, spread }: Workspace, count: number): void {
  let [n, ax, ay, az] = [0, 0, 0, 0];
  for (let i = 0; i < count; i += 1) {
    if (known[i] === 0) continue;
    ax += d[3 * i] ?? 0;
    ay += d[3 * i + 1] ?? 0;
    az += d[3 * i + 2] ?? 0;
    n += 1;
  }
  ax /= n;
  ay /= n;
  az /= n;
  let [xx, yy, zz, xy, xz, yz, most, steps, stepSquares] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < count; i += 1) {
    if (known[i] === 0) continue;
    const x = (d[3 * i] ?? 0) - ax;
    const y = (d[3 * i + 1] ?? 0) - ay;
    const z = (d[3 * i + 2] ?? 0) - az;
    const square = x * x + y * y + z * z;
    if (square > most) most = square;
    xx += x * x;
    yy += y * y;
    zz += z * z;
    xy += x * y;
    xz += x * z;
    yz += y * z;
    if (i + 1 === count || known[i + 1] === 0) continue;
    const sx = x + ax - (d[3 * i + 3] ?? 0);
    const sy = y + ay - (d[3 * i + 4] ?? 0);
    const sz = z + az - (d[3 * i + 5] ?? 0);
    stepSquares += sx * sx + sy * sy + sz * sz;
    steps += 1;
  }
  const sum = xx + yy + zz;
  spread.meanSquare = sum / n + TINY;
  const step = steps === 0 ? 0 : stepSquares / steps;
  spread.hertz = Math.asin(Math.min(1, Math.sqrt(step / spread.meanSquare) / 2)) / (Math.PI * (BIN_MS / 1_000));
  spread.crest = Math.sqrt(most / spread.meanSquare);
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

/** How often the movement turns back on itself, of swings of at least so many g. */
function turns({ d, known, strength }: Workspace, count: number, leastG: number): number {
  let turned = 0;
  let outer = -1;
  for (let i = Math.min(TURN_BINS, count) - 1; i >= 0; i -= 1) {
    const now = strength[i] ?? 0;
    if (known[i] === 0 || now < leastG) continue;
    if (outer >= 0) {
      const [a, b] = [3 * i, 3 * outer];
      const dot = (d[a] ?? 0) * (d[b] ?? 0) + (d[a + 1] ?? 0) * (d[b + 1] ?? 0) + (d[a + 2] ?? 0) * (d[b + 2] ?? 0);
      const most = strength[outer] ?? 0;
      const back = dot < TURNED_BACK * now * most;
      if (back) turned += 1;
      else if (!(dot > 0 && now > most)) continue;
    }
    outer = i;
  }
  return turned;
}

/** Along the main axis of the whole second: does it go as far, and as long, to one side as to the other? Is it upright? */
function sides({ features: f, d, known, spread }: Workspace, count: number, gx: number, gy: number, gz: number): void {
  const { x: vx, y: vy, z: vz } = spread;
  let [n, mean] = [0, 0];
  for (let i = 0; i < count; i += 1) {
    if (known[i] === 0) continue;
    mean += (d[3 * i] ?? 0) * vx + (d[3 * i + 1] ?? 0) * vy + (d[3 * i + 2] ?? 0) * vz;
    n += 1;
  }
  mean /= n;
  let [squares, cubes, there, back] = [0, 0, 0, 0];
  for (let i = 0; i < count; i += 1) {
    if (known[i] === 0) continue;
    const along = (d[3 * i] ?? 0) * vx + (d[3 * i + 1] ?? 0) * vy + (d[3 * i + 2] ?? 0) * vz;
    const off = along - mean;
    squares += off * off;
    cubes += off * off * off;
    if (i >= TURN_BINS) continue;
    if (along > there) there = along;
    if (-along > back) back = -along;
  }
  f[10] = Math.abs(cubes / n) / (squares / n + TINY) ** 1.5;
  f[11] = Math.abs(vx * gx + vy * gy + vz * gz) / (Math.sqrt(gx * gx + gy * gy + gz * gz) + TINY);
  f[15] = Math.min(there, back) / (Math.max(there, back) + TINY);
}

/** The pull that the collar feels, gravity and movement together: free fall and impacts show in it. */
function pulls(work: Workspace, count: number, gx: number, gy: number, gz: number, rms500: number): void {
  const { features: f, d, known } = work;
  let [n, sum, squares, least, most] = [0, 0, 0, Number.POSITIVE_INFINITY, 0];
  for (let i = 0; i < Math.min(TURN_BINS, count); i += 1) {
    if (known[i] === 0) continue;
    const x = (d[3 * i] ?? 0) + gx;
    const y = (d[3 * i + 1] ?? 0) + gy;
    const z = (d[3 * i + 2] ?? 0) + gz;
    const square = x * x + y * y + z * z;
    const pull = Math.sqrt(square);
    sum += pull;
    squares += square;
    if (pull < least) least = pull;
    if (pull > most) most = pull;
    n += 1;
  }
  const mean = sum / n;
  f[12] = Math.sqrt(Math.max(0, squares / n - mean * mean)) / rms500;
  f[13] = least;
  f[14] = most;
}
