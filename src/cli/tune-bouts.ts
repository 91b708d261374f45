/**
 * When a collar was shaken, told from how strong its readings are and how often they come, without asking the detector: what the
 * detector finds is judged by it. Pure: time is that of the readings.
 */
import type { Reading } from '../agent/decoder/reading.ts';
import { addSample, createMotionWindow } from '../agent/detector/motion-window.ts';
import type { LiveMeasure } from '../contract/live.ts';

/** A shake that was made, from its first strong reading to its last. */
export interface Bout {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Shorter pauses belong to a shake … */
export const LEAST_PAUSE_MS = 900;
/** … and so do pauses of less than so many readings of a collar that sends slowly: two may be lost on the air. */
const PAUSE_READINGS = 3.2;
/** Acceleration that comes less often shows no shake, whatever looks at it. */
const SLOWEST_ACCELERATION_MS = 100;
/** What is less is nothing, in the measure of each kind. */
const FLOOR: { readonly [K in LiveMeasure]: number } = { acceleration: 0.05, level: 0.05, edges: 0.5 };
/** Strong is what lies so far between what is usual at rest and what is usual in a shake: the first that tells the wanted ones apart … */
const SHARES = [0.4, 0.25, 0.6, 0.15];
/** … with pauses of so many times the usual, but no shorter than so many readings: else each would be a shake. */
const PAUSES = [1, 0.7, 0.5, 1.5, 2, 0.35];
const LEAST_READINGS = 1.6;
const USUAL = 0.9;
/** Who puts it down first has so much of the rest for it. */
const PUT_DOWN_SHARE = 0.4;

interface Sample {
  readonly atMs: number;
  readonly strength: number;
}

/** Changed in place. As long as what it was given: who gives has the limit. */
export interface Motions {
  take(reading: Reading): void;
  /** What shakes are told from; null before the first reading that says anything of them. */
  readonly measure: LiveMeasure | null;
  /** All kinds that were sent. */
  readonly kinds: readonly LiveMeasure[];
  /** How often the collar sends: a quarter of its readings come sooner. null: too few to tell. */
  readonly everyMs: number | null;
  /** Those behind `restUntilMs`. `wanted`: a border and a pause are looked for that show so many, else it is the usual ones. */
  bouts(restUntilMs: number, wanted?: number): readonly Bout[];
}

export function createMotions(): Motions {
  const window = createMotionWindow();
  const samples: { readonly [K in LiveMeasure]: Sample[] } = { acceleration: [], level: [], edges: [] };
  const measureOf = (): LiveMeasure | null => {
    const { acceleration, level, edges } = samples;
    const isFast = (everyOf(acceleration) ?? Number.POSITIVE_INFINITY) <= SLOWEST_ACCELERATION_MS;
    if (isFast) return 'acceleration';
    return level.length > 0 ? 'level' : edges.length > 0 ? 'edges' : acceleration.length > 0 ? 'acceleration' : null;
  };
  return {
    take({ atMs, axG, ayG, azG, shake, edges }) {
      if (axG !== undefined && ayG !== undefined && azG !== undefined) {
        addSample(window, atMs, axG, ayG, azG);
        samples.acceleration.push({ atMs, strength: window.levelG });
      }
      if (shake !== undefined) samples.level.push({ atMs, strength: shake });
      if (edges !== undefined) samples.edges.push({ atMs, strength: edges });
    },
    get measure() {
      return measureOf();
    },
    get kinds() {
      return (['acceleration', 'level', 'edges'] as const).filter((kind) => samples[kind].length > 0);
    },
    get everyMs() {
      const measure = measureOf();
      return measure === null ? null : everyOf(samples[measure]);
    },
    bouts(restUntilMs, wanted) {
      const measure = measureOf();
      return measure === null ? [] : boutsOf(samples[measure], FLOOR[measure], restUntilMs, wanted);
    },
  };
}

function boutsOf(samples: readonly Sample[], floor: number, restUntilMs: number, wanted?: number): readonly Bout[] {
  const strengthsOf = (isWanted: (one: Sample) => boolean) => samples.filter(isWanted).map(({ strength }) => strength);
  const beganMs = samples[0]?.atMs ?? 0;
  const downMs = beganMs + PUT_DOWN_SHARE * (restUntilMs - beganMs);
  const rest =
    quantileOf(
      strengthsOf(({ atMs }) => atMs >= downMs && atMs < restUntilMs),
      USUAL,
    ) ?? 0;
  const isShaken = ({ atMs, strength }: Sample) => atMs >= restUntilMs && strength > rest + floor;
  const shaken = quantileOf(strengthsOf(isShaken), USUAL);
  if (shaken === null) return [];
  const everyMs = everyOf(samples);
  const pauses = PAUSES.map((share) => share * pauseOf(everyMs)).filter((ms) => ms >= LEAST_READINGS * (everyMs ?? 0));
  const cuts = SHARES.flatMap((share) => {
    const border = Math.max(rest + floor, rest + share * (shaken - rest));
    return pauses.map((pauseMs) => ({ border, pauseMs }));
  });
  let usual: readonly Bout[] | null = null;
  for (const { border, pauseMs } of cuts) {
    const bouts = cutAt(samples, restUntilMs, border, pauseMs);
    if (wanted === undefined || bouts.length === wanted) return bouts;
    usual ??= bouts;
  }
  return usual ?? [];
}

/** Pauses of a collar that sends so often: shorter ones do not part two shakes. */
export function pauseOf(everyMs: number | null): number {
  return Math.max(LEAST_PAUSE_MS, PAUSE_READINGS * (everyMs ?? 0));
}

function cutAt(samples: readonly Sample[], restUntilMs: number, border: number, pauseMs: number): readonly Bout[] {
  const bouts: { fromMs: number; toMs: number }[] = [];
  for (const { atMs, strength } of samples) {
    if (atMs < restUntilMs || strength < border) continue;
    const last = bouts.at(-1);
    if (last !== undefined && atMs - last.toMs <= pauseMs) last.toMs = Math.max(last.toMs, atMs);
    else bouts.push({ fromMs: atMs, toMs: atMs });
  }
  return bouts;
}

function everyOf(samples: readonly Sample[]): number | null {
  const gaps = samples.slice(1).map(({ atMs }, i) => atMs - (samples[i]?.atMs ?? atMs));
  return quantileOf(
    gaps.filter((gap) => gap > 0),
    0.25,
  );
}

function quantileOf(values: readonly number[], share: number): number | null {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null;
}
