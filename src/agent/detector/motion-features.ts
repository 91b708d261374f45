/**
 * What the last second of acceleration says about shaking, in numbers that depend neither on how the collar has turned on the neck
 * nor on 1 g at rest: how strong, how fast, along one line or not, as far to one side as to the other, across gravity or along it
 * (gait bobs up and down, and hits the ground one-sidedly). The order is that of the forest's inputs.
 */
import {
  addSums,
  type Bins,
  createSums,
  crestOf,
  emptySums,
  meanSquareOf,
  type Spread,
  type Sums,
  spreadOf,
  TINY,
} from './motion-spread.ts';
import { BINS, type MotionWindow } from './motion-window.ts';

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

/** Room for one description, reused for all collars. */
export interface Workspace extends Bins {
  readonly features: Float64Array;
  readonly sums: Sums;
  readonly spread: Spread;
}

export function createWorkspace(): Workspace {
  return {
    features: new Float64Array(FEATURES.length),
    d: new Float64Array(3 * BINS),
    known: new Uint8Array(BINS),
    strength: new Float64Array(BINS),
    sums: createSums(),
    spread: { meanSquare: 0, hertz: 0, line: 0, x: 0, y: 0, z: 0 },
  };
}

/** Fills `features`. False: too little is known. `gain`: dynamic acceleration counts so many times. */
export function describeMotion(w: MotionWindow, gain: number, work: Workspace): boolean {
  const { features: f, d, known, sums, spread } = work;
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
  for (let i = 0; i < 3 * count; i += 3) {
    d[i] = gain * ((d[i] ?? 0) - gx);
    d[i + 1] = gain * ((d[i + 1] ?? 0) - gy);
    d[i + 2] = gain * ((d[i + 2] ?? 0) - gz);
  }
  emptySums(sums);
  addSums(sums, work, 0, SHORT_BINS);
  f[0] = 0.5 * Math.log(meanSquareOf(sums));
  const half = Math.min(HALF_BINS, count);
  addSums(sums, work, SHORT_BINS, half);
  spreadOf(sums, spread);
  f[1] = 0.5 * Math.log(spread.meanSquare);
  f[3] = spread.hertz;
  f[5] = spread.line;
  f[7] = crestOf(sums, work, half, spread.meanSquare);
  const rms500 = Math.sqrt(spread.meanSquare);
  addSums(sums, work, half, count);
  spreadOf(sums, spread);
  f[2] = 0.5 * Math.log(spread.meanSquare);
  f[4] = spread.hertz;
  f[6] = spread.line;
  f[8] = turns(work, count, Math.max(WEAKEST_TURN_G, 0.5 * rms500));
  f[9] = turns(work, count, STRONG_TURN_G);
  sides(work, count, gx, gy, gz);
  pulls(work, count, gx, gy, gz, rms500);
  return true;
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
function sides(work: Workspace, count: number, gx: number, gy: number, gz: number): void {
  const { features: f, d, known, sums, spread } = work;
  const { x: vx, y: vy, z: vz } = spread;
  const { n } = sums;
  const mean = (sums.x * vx + sums.y * vy + sums.z * vz) / n;
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
  const variance = squares / n + TINY;
  f[10] = Math.abs(cubes / n) / (variance * Math.sqrt(variance));
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
