/**
 * What the last second of acceleration says about shaking, in numbers that depend neither on how the collar has turned on the neck
 * nor on 1 g at rest: how strong, how fast, along one line or not, as far to one side as to the other, across gravity or along it
 * (gait bobs up and down, and hits the ground one-sidedly). The order is that of the forest's inputs.
 */
import {
  addSums,
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
export interface Workspace {
  readonly features: Float64Array;
  /** Acceleration of the bins that are known, newest first: x, y, z. */
  readonly bins: Float64Array;
  readonly strength: Float64Array;
  readonly sums: Sums;
  readonly spread: Spread;
}

export function createWorkspace(): Workspace {
  return {
    features: new Float64Array(FEATURES.length),
    bins: new Float64Array(3 * BINS),
    strength: new Float64Array(TURN_BINS),
    sums: createSums(),
    spread: { meanSquare: 0, hertz: 0, line: 0, main: 0, x: 0, y: 0, z: 0 },
  };
}

/** Fills `features`. False: too little is known. `gain`: dynamic acceleration counts so many times. */
export function describeMotion(w: MotionWindow, gain: number, work: Workspace): boolean {
  const { features: f, bins, sums, spread } = work;
  const { count } = w;
  if (count < SHORT_BINS) return false;
  emptySums(sums);
  addSums(sums, w, 0, SHORT_BINS, gain, bins);
  f[0] = 0.5 * Math.log(meanSquareOf(sums));
  const half = Math.min(HALF_BINS, count);
  addSums(sums, w, SHORT_BINS, half, gain, bins);
  spreadOf(sums, spread);
  f[1] = 0.5 * Math.log(spread.meanSquare);
  f[3] = spread.hertz;
  f[5] = spread.line;
  f[7] = crestOf(sums, bins, spread.meanSquare);
  const rms500 = Math.sqrt(spread.meanSquare);
  const turning = Math.min(TURN_BINS, count);
  addSums(sums, w, half, turning, gain, bins);
  const { n } = sums;
  addSums(sums, w, turning, count, gain, bins);
  if (sums.n < LEAST_BINS) return false;
  spreadOf(sums, spread);
  f[2] = 0.5 * Math.log(spread.meanSquare);
  f[4] = spread.hertz;
  f[6] = spread.line;
  sides(work, n, gain);
  pulls(work, n, gain, rms500);
  f[8] = turns(work, n, Math.max(WEAKEST_TURN_G, 0.5 * rms500));
  f[9] = turns(work, n, STRONG_TURN_G);
  return true;
}

/** Along the main axis of the whole second: does it go as far, and as long, to one side as to the other? Is it upright? */
function sides({ features: f, bins, sums, spread }: Workspace, recent: number, gain: number): void {
  const { x: vx, y: vy, z: vz } = spread;
  const { n, x: gx, y: gy, z: gz } = sums;
  const mean = (gx * vx + gy * vy + gz * vz) / n;
  let cubes = 0;
  let there = 0;
  let back = 0;
  for (let i = 0, k = 0; i < n; i += 1, k += 3) {
    const off = (bins[k] ?? 0) * vx + (bins[k + 1] ?? 0) * vy + (bins[k + 2] ?? 0) * vz - mean;
    cubes += off * off * off;
    if (i >= recent) continue;
    if (off > there) there = off;
    else if (off < back) back = off;
  }
  const variance = spread.main / n + TINY;
  f[10] = Math.abs(cubes / n) / (variance * Math.sqrt(variance));
  f[11] = Math.abs(mean / gain) / (Math.sqrt(gx * gx + gy * gy + gz * gz) / (n * gain) + TINY);
  f[15] = Math.min(there, -back) / (Math.max(there, -back) + TINY);
}

/** The pull that the collar feels, gravity and movement together: free fall and impacts show in it. Leaves movement alone in `bins`. */
function pulls(work: Workspace, recent: number, gain: number, rms500: number): void {
  const { features: f, bins, strength, sums } = work;
  const mx = sums.x / sums.n;
  const my = sums.y / sums.n;
  const mz = sums.z / sums.n;
  const gx = mx / gain;
  const gy = my / gain;
  const gz = mz / gain;
  let sum = 0;
  let squares = 0;
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (let i = 0, k = 0; i < recent; i += 1, k += 3) {
    const dx = (bins[k] ?? 0) - mx;
    const dy = (bins[k + 1] ?? 0) - my;
    const dz = (bins[k + 2] ?? 0) - mz;
    bins[k] = dx;
    bins[k + 1] = dy;
    bins[k + 2] = dz;
    strength[i] = Math.sqrt(dx * dx + dy * dy + dz * dz);
    const x = dx + gx;
    const y = dy + gy;
    const z = dz + gz;
    const square = x * x + y * y + z * z;
    sum += Math.sqrt(square);
    squares += square;
    if (square < least) least = square;
    if (square > most) most = square;
  }
  const mean = sum / recent;
  f[12] = Math.sqrt(Math.max(0, squares / recent - mean * mean)) / rms500;
  f[13] = Math.sqrt(least);
  f[14] = Math.sqrt(most);
}

/** How often the movement turns back on itself, of swings of at least so many g. */
function turns({ bins, strength }: Workspace, recent: number, leastG: number): number {
  let turned = 0;
  let outer = -1;
  for (let i = recent - 1; i >= 0; i -= 1) {
    const now = strength[i] ?? 0;
    if (now < leastG) continue;
    if (outer >= 0) {
      const a = 3 * i;
      const b = 3 * outer;
      const dot =
        (bins[a] ?? 0) * (bins[b] ?? 0) +
        (bins[a + 1] ?? 0) * (bins[b + 1] ?? 0) +
        (bins[a + 2] ?? 0) * (bins[b + 2] ?? 0);
      const most = strength[outer] ?? 0;
      const back = dot < TURNED_BACK * now * most;
      if (back) turned += 1;
      else if (!(dot > 0 && now > most)) continue;
    }
    outer = i;
  }
  return turned;
}
