/**
 * What acceleration says about shaking, sample by sample: how strong (level) and how often it turns back (swings).
 * Neither depends on how the collar has turned on the neck, nor on 1 g at rest, nor on the sampling rate (25 Hz and up).
 */

/** Gravity is the running mean of acceleration over this time: long against a shake's swing, short against a new posture. */
const GRAVITY_TAU_MS = 1_000;
/** The level is the running mean of |dynamic acceleration| over this time: about one swing of a shake. */
const LEVEL_TAU_MS = 100;
/** A swing this much weaker than the level is noise on top of a larger one. */
const SWING_PER_LEVEL = 1;
/** cos 135°: the next swing must point back. Circles and gait turn aside instead. */
const TURNED_BACK = -Math.SQRT1_2;
/** Swings are counted over this time: at 4 Hz five or six, in gait at 2 Hz two or three. */
export const SWING_WINDOW_MS = 700;
/** Swings that are remembered; more in one window change nothing. */
export const MAX_SWINGS = 8;
/** A longer pause between samples says nothing about what was between: start anew. */
export const GAP_MS = 1_000;
/** No single sample stands for more time than this, so that a lost row is not a long swing. */
const MAX_STEP_MS = 50;

/** Filled by `addSample`; reuse it, never copy it. */
export interface Swings {
  /** Time of the newest sample; NaN before the first. */
  atMs: number;
  /** Strength of dynamic acceleration at the newest sample, and its running mean, in g. */
  strengthG: number;
  levelG: number;
  /** Samples so far. */
  samples: number;
  gravityX: number;
  gravityY: number;
  gravityZ: number;
  /** Time that the running mean of gravity covers by now. */
  knownMs: number;
  /** The outermost point of the swing that is going on. */
  swingX: number;
  swingY: number;
  swingZ: number;
  swingG: number;
  swingAtMs: number;
  swingSample: number;
  /** Ring of finished swings: when it was outermost, at which sample, how strong; and when it turned back. */
  readonly outerAtMs: Float64Array;
  readonly outerSample: Float64Array;
  readonly outerG: Float64Array;
  readonly turnedAtMs: Float64Array;
  turned: number;
}

export function createSwings(): Swings {
  return {
    atMs: Number.NaN,
    strengthG: 0,
    levelG: 0,
    samples: 0,
    gravityX: 0,
    gravityY: 0,
    gravityZ: 0,
    knownMs: 0,
    swingX: 0,
    swingY: 0,
    swingZ: 0,
    swingG: 0,
    swingAtMs: 0,
    swingSample: 0,
    outerAtMs: new Float64Array(MAX_SWINGS),
    outerSample: new Float64Array(MAX_SWINGS),
    outerG: new Float64Array(MAX_SWINGS),
    turnedAtMs: new Float64Array(MAX_SWINGS),
    turned: 0,
  };
}

/** Takes one sample in g. `leastSwingG`: weaker swings are not counted. Small steps back in time count as none. */
export function addSample(s: Swings, atMs: number, x: number, y: number, z: number, leastSwingG: number): void {
  const passedMs = atMs - s.atMs;
  if (!(Math.abs(passedMs) <= GAP_MS)) restart(s, atMs, x, y, z);
  s.samples += 1;
  const stepMs = passedMs > 0 ? Math.min(passedMs, GAP_MS) : 0;
  if (passedMs > 0) s.atMs = atMs;
  followGravity(s, stepMs, x, y, z);
  const dx = x - s.gravityX;
  const dy = y - s.gravityY;
  const dz = z - s.gravityZ;
  const strength = Math.sqrt(dx * dx + dy * dy + dz * dz);
  const shareMs = Math.min(stepMs, MAX_STEP_MS);
  s.strengthG = strength;
  s.levelG += (shareMs / (LEVEL_TAU_MS + shareMs)) * (strength - s.levelG);

  if (s.swingG > 0 && s.atMs - s.swingAtMs > SWING_WINDOW_MS) s.swingG = 0;
  if (strength <= leastSwingG || strength <= SWING_PER_LEVEL * s.levelG) return;
  const dot = dx * s.swingX + dy * s.swingY + dz * s.swingZ;
  const back = dot < TURNED_BACK * strength * s.swingG;
  const further = s.swingG === 0 || (dot > 0 && strength > s.swingG);
  if (s.swingG > 0 && back) rememberSwing(s);
  if (!back && !further) return;
  s.swingX = dx;
  s.swingY = dy;
  s.swingZ = dz;
  s.swingG = strength;
  s.swingAtMs = s.atMs;
  s.swingSample = s.samples;
}

/** How many swings turned back within the window; at most MAX_SWINGS. */
export function swingCount(s: Swings): number {
  const oldest = Math.max(0, s.turned - MAX_SWINGS);
  let count = 0;
  for (let i = s.turned - 1; i >= oldest; i -= 1) {
    if (!((s.turnedAtMs[i % MAX_SWINGS] ?? 0) >= s.atMs - SWING_WINDOW_MS)) break;
    count += 1;
  }
  return count;
}

/** The first swing of the newest `count`, and the strongest among them. */
export function firstSwing(s: Swings, count: number): { atMs: number; sample: number; strongestG: number } {
  const first = (s.turned - count) % MAX_SWINGS;
  let strongestG = s.swingG;
  for (let i = s.turned - count; i < s.turned; i += 1) {
    strongestG = Math.max(strongestG, s.outerG[i % MAX_SWINGS] ?? 0);
  }
  return { atMs: s.outerAtMs[first] ?? 0, sample: s.outerSample[first] ?? 0, strongestG };
}

function restart(s: Swings, atMs: number, x: number, y: number, z: number): void {
  s.atMs = atMs;
  s.levelG = 0;
  s.gravityX = x;
  s.gravityY = y;
  s.gravityZ = z;
  s.knownMs = 0;
  s.swingG = 0;
  s.turned = 0;
}

/** A plain mean at first, then an exponential one: the first sample is not taken for gravity for long. */
function followGravity(s: Swings, stepMs: number, x: number, y: number, z: number): void {
  if (stepMs === 0) return;
  s.knownMs = Math.min(GRAVITY_TAU_MS, s.knownMs + stepMs);
  const share = stepMs / (s.knownMs + stepMs);
  s.gravityX += share * (x - s.gravityX);
  s.gravityY += share * (y - s.gravityY);
  s.gravityZ += share * (z - s.gravityZ);
}

function rememberSwing(s: Swings): void {
  const i = s.turned % MAX_SWINGS;
  s.outerAtMs[i] = s.swingAtMs;
  s.outerSample[i] = s.swingSample;
  s.outerG[i] = s.swingG;
  s.turnedAtMs[i] = s.atMs;
  s.turned += 1;
}
