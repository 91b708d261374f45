/** The description of movement against its definitions, written down as plainly as they can be: over lists, one at a time. */
import { expect, test } from 'vitest';
import { createWorkspace, describeMotion, FEATURES } from '../../../src/agent/detector/motion-features.ts';
import {
  addSample,
  BIN_MS,
  BINS,
  createMotionWindow,
  type MotionWindow,
} from '../../../src/agent/detector/motion-window.ts';
import { createRandom } from '../../../src/simulator/random.ts';

type Vector = readonly number[];
type Feature = (typeof FEATURES)[number];

const TINY = 1e-6;

const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
const meanOf = (values: readonly number[]) => sumOf(values) / values.length;
const dot = (a: Vector, b: Vector) => sumOf(a.map((one, i) => one * (b[i] ?? 0)));
const lengthOf = (a: Vector) => Math.sqrt(dot(a, a));
const minus = (a: Vector, b: Vector) => a.map((one, i) => one - (b[i] ?? 0));
const times = (share: number, a: Vector) => a.map((one) => share * one);
const centre = (of: readonly Vector[]) => [0, 1, 2].map((axis) => meanOf(of.map((one) => one[axis] ?? 0)));
const isKnown = (one: Vector | null): one is Vector => one !== null;

/** Newest first; null: not known. */
function binsOf(w: MotionWindow): (Vector | null)[] {
  return Array.from({ length: w.count }, (_, i) => {
    const j = (w.head - i + BINS) % BINS;
    return w.known[j] === 1 ? [...w.xyz.subarray(3 * j, 3 * j + 3)] : null;
  });
}

function meanSquareOf(bins: readonly Vector[]): number {
  const middle = centre(bins);
  return meanOf(bins.map((one) => dot(minus(one, middle), minus(one, middle)))) + TINY;
}

function hertzOf(bins: readonly (Vector | null)[]): number {
  const steps = bins.flatMap((one, i) => {
    const next = bins[i - 1] ?? null;
    return one === null || next === null ? [] : [dot(minus(next, one), minus(next, one))];
  });
  const step = steps.length === 0 ? 0 : meanOf(steps);
  const swing = Math.sqrt(step / meanSquareOf(bins.filter(isKnown))) / 2;
  return Math.asin(Math.min(1, swing)) / (Math.PI * (BIN_MS / 1_000));
}

/** The direction in which most of the movement lies, after four rounds of asking. */
function axisOf(bins: readonly Vector[]): { axis: Vector; along: number; all: number } {
  const off = bins.map((one) => minus(one, centre(bins)));
  const rows = [0, 1, 2].map((a) => [0, 1, 2].map((b) => sumOf(off.map((one) => (one[a] ?? 0) * (one[b] ?? 0)))));
  const ask = (v: Vector) => rows.map((row) => dot(row, v));
  const squares = rows.map((row, i) => row[i] ?? 0);
  const first = squares.indexOf(Math.max(...squares));
  let axis: Vector = [0, 1, 2].map((i) => (i === first ? 1 : 0.3));
  for (let round = 0; round < 4; round += 1) axis = times(1 / lengthOf(ask(axis)), ask(axis));
  return { axis, along: dot(axis, ask(axis)), all: sumOf(squares) };
}

function turnsOf(movement: readonly Vector[], leastG: number): number {
  let turned = 0;
  let outer: Vector | null = null;
  for (const now of movement.filter((one) => lengthOf(one) >= leastG).reverse()) {
    const cosine = outer === null ? 1 : dot(outer, now) / (lengthOf(outer) * lengthOf(now));
    if (cosine < -0.6) turned += 1;
    if (outer === null || cosine < -0.6 || (cosine > 0 && lengthOf(now) > lengthOf(outer))) outer = now;
  }
  return turned;
}

function plainly(w: MotionWindow, gain: number): Record<Feature, number> {
  const all = binsOf(w);
  const gravity = centre(all.filter(isKnown));
  const moved: (Vector | null)[] = all.map((one) => one && times(gain, minus(one, gravity)));
  const newest = (count: number) => moved.slice(0, count).filter(isKnown);
  const [short, half, recent, whole] = [newest(10), newest(25), newest(36), newest(BINS)];
  const strengthOf = (bins: readonly Vector[]) => 0.5 * Math.log(meanSquareOf(bins));
  const rms500 = Math.sqrt(meanSquareOf(half));
  const { axis, along, all: squares } = axisOf(whole);
  const offs = whole.map((one) => dot(one, axis));
  const sides = recent.map((one) => dot(one, axis));
  const [there, back] = [Math.max(0, ...sides), Math.max(0, ...sides.map((one) => -one))];
  const pulls = recent.map((one) => lengthOf(minus(one, times(-1, gravity))));
  const variance = meanOf(offs.map((one) => one ** 2)) + TINY;
  return {
    strength200: strengthOf(short),
    strength500: strengthOf(half),
    strength1000: strengthOf(whole),
    hertz500: hertzOf(moved.slice(0, 25)),
    hertz1000: hertzOf(moved),
    line500: axisOf(half).along / (axisOf(half).all + 1e-9),
    line1000: along / (squares + 1e-9),
    crest500: Math.max(...half.map((one) => lengthOf(minus(one, centre(half))))) / rms500,
    turns: turnsOf(recent, Math.max(0.1, 0.5 * rms500)),
    strongTurns: turnsOf(recent, 0.5),
    skew: Math.abs(meanOf(offs.map((one) => one ** 3))) / variance ** 1.5,
    alongGravity: Math.abs(dot(axis, gravity)) / (lengthOf(gravity) + TINY),
    pull: Math.sqrt(meanOf(pulls.map((one) => (one - meanOf(pulls)) ** 2))) / rms500,
    leastPull: Math.min(...pulls),
    mostPull: Math.max(...pulls),
    balance: Math.min(there, back) / (Math.max(there, back) + TINY),
  };
}

/** Swings that change their pace, at any rate, with rows lost one by one and many at a time. */
function moving(seed: number): [atMs: number, x: number, y: number, z: number][] {
  const random = createRandom(seed, 11);
  const rateHz = random.pick([12.5, 25, 32, 50, 100, 200]);
  const lost = random.pick([0, 0.3]);
  const [hertz, sizeG] = [random.between(1, 9), random.between(0.2, 3)];
  const rows: [number, number, number, number][] = [];
  let gap = 0;
  for (let i = 0; i < 3 * rateHz; i += 1) {
    const s = i / rateHz;
    const swing = sizeG * Math.sin(2 * Math.PI * hertz * s * (1 + 0.1 * s));
    const [x, y, z] = [0.3 + 0.8 * swing, 0.9 - 0.5 * swing * swing, 0.2 + 0.2 * swing];
    const noisy = [x, y, z].map((one) => one + 0.05 * random.normal());
    if (random.next() < 0.01) gap = rateHz * random.between(0, 0.4);
    gap -= 1;
    if (gap > 0 || random.next() < lost) continue;
    rows.push([1_000 * s, noisy[0] ?? 0, noisy[1] ?? 0, noisy[2] ?? 0]);
  }
  return rows;
}

test('each feature is what its definition says, at any rate, with gaps, weakened or strengthened', () => {
  let [looks, unknown] = [0, 0];
  for (let seed = 0; seed < 30; seed += 1) {
    const gain = [1, 0.7, 1.6][seed % 3] ?? 1;
    const [w, work] = [createMotionWindow(), createWorkspace()];
    for (const [i, [atMs, x, y, z]] of moving(seed).entries()) {
      if (!addSample(w, atMs, x, y, z) || i % 5 > 0 || !describeMotion(w, gain, work)) continue;
      looks += 1;
      if (binsOf(w).includes(null)) unknown += 1;
      const expected = plainly(w, gain);
      const apart = FEATURES.filter((name, k) => !(Math.abs((work.features[k] ?? 0) - expected[name]) < 1e-9));
      if (apart.length > 0) expect.fail(`seed ${seed} at ${atMs} ms: ${apart.join(', ')}`);
    }
  }
  expect(looks).toBeGreaterThan(400);
  expect(unknown).toBeGreaterThan(40);
});

test('too little is known of a window with fewer than ten bins, or with eight that nobody measured', () => {
  const [w, work] = [createMotionWindow(), createWorkspace()];
  const enough: boolean[] = [];
  for (let i = 0; i <= 12; i += 1) if (addSample(w, i * BIN_MS, 0, 0, 1)) enough.push(describeMotion(w, 1, work));
  expect(enough.indexOf(true)).toBe(9);
  const gappy = createMotionWindow();
  const told: boolean[] = [];
  for (const bin of [0, 1, 20, 21, 40, 41, 60, 61, 62, 63, 64, 65, 66]) {
    if (addSample(gappy, bin * BIN_MS, 0, 0, 1)) told.push(describeMotion(gappy, 1, work));
  }
  expect(told.lastIndexOf(false)).toBeGreaterThan(4);
  expect(told.at(-1)).toBe(true);
});
