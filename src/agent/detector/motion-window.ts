/**
 * The last second of acceleration on an even grid of time, whatever the sampling rate (25 Hz and up) and however many rows get
 * lost: bins of 20 ms, the mean of what fell into each. Short gaps are bridged, longer ones stay unknown.
 */

export const BIN_MS = 20;
/** One second. */
export const BINS = 50;
/** A gap of up to 160 ms is bridged by a straight line: a lost row or two, or a low sampling rate. */
const BRIDGED_BINS = 8;
/** A gap of 500 ms says nothing about what was between: start anew. */
const LOST_BINS = 25;
/** Gravity is the running mean over this time: long against a shake's swing, short against a new posture. */
const GRAVITY_TAU_MS = 1_000;
/** The level is the running mean of |dynamic acceleration| over this time: about one swing of a shake. */
const LEVEL_TAU_MS = 100;
/** No single sample stands for more time than this, so that a lost row is not a long swing. */
const MAX_STEP_MS = 50;

/** Filled by `addSample`; reuse it, never copy it. */
export interface MotionWindow {
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
  /** The bin that samples fall into; NaN before the first. */
  bin: number;
  sumX: number;
  sumY: number;
  sumZ: number;
  sumCount: number;
  sumPeakG: number;
  /** Ring of finished bins; `head` is the newest, `count` of them are filled. */
  head: number;
  count: number;
  newestBin: number;
  readonly xyz: Float64Array;
  /** 1: measured or bridged. */
  readonly known: Uint8Array;
  readonly peakG: Float64Array;
  readonly samplesIn: Int32Array;
}

export function createMotionWindow(): MotionWindow {
  return {
    atMs: Number.NaN,
    strengthG: 0,
    levelG: 0,
    samples: 0,
    gravityX: 0,
    gravityY: 0,
    gravityZ: 0,
    knownMs: 0,
    bin: Number.NaN,
    sumX: 0,
    sumY: 0,
    sumZ: 0,
    sumCount: 0,
    sumPeakG: 0,
    head: 0,
    count: 0,
    newestBin: Number.NaN,
    xyz: new Float64Array(3 * BINS),
    known: new Uint8Array(BINS),
    peakG: new Float64Array(BINS),
    samplesIn: new Int32Array(BINS),
  };
}

/** Takes one sample in g; small steps back in time count as none. True: a bin was finished. */
export function addSample(w: MotionWindow, atMs: number, x: number, y: number, z: number): boolean {
  const passedMs = atMs - w.atMs;
  if (!(Math.abs(passedMs) < LOST_BINS * BIN_MS)) restart(w, atMs, x, y, z);
  w.samples += 1;
  const stepMs = passedMs > 0 ? Math.min(passedMs, LOST_BINS * BIN_MS) : 0;
  if (passedMs > 0) w.atMs = atMs;
  followLevel(w, stepMs, x, y, z);
  const bin = Math.floor(w.atMs / BIN_MS);
  const finished = bin !== w.bin && w.sumCount > 0;
  if (finished) finishBin(w);
  w.bin = bin;
  w.sumX += x;
  w.sumY += y;
  w.sumZ += z;
  w.sumCount += 1;
  if (w.strengthG > w.sumPeakG) w.sumPeakG = w.strengthG;
  return finished;
}

function restart(w: MotionWindow, atMs: number, x: number, y: number, z: number): void {
  w.atMs = atMs;
  w.levelG = 0;
  w.gravityX = x;
  w.gravityY = y;
  w.gravityZ = z;
  w.knownMs = 0;
  w.bin = Number.NaN;
  w.count = 0;
  w.newestBin = Number.NaN;
  emptySum(w);
}

/** A plain mean at first, then an exponential one: the first sample is not taken for gravity for long. */
function followLevel(w: MotionWindow, stepMs: number, x: number, y: number, z: number): void {
  if (stepMs > 0) {
    w.knownMs = Math.min(GRAVITY_TAU_MS, w.knownMs + stepMs);
    const share = stepMs / (w.knownMs + stepMs);
    w.gravityX += share * (x - w.gravityX);
    w.gravityY += share * (y - w.gravityY);
    w.gravityZ += share * (z - w.gravityZ);
  }
  const dx = x - w.gravityX;
  const dy = y - w.gravityY;
  const dz = z - w.gravityZ;
  w.strengthG = Math.sqrt(dx * dx + dy * dy + dz * dz);
  const shareMs = Math.min(stepMs, MAX_STEP_MS);
  w.levelG += (shareMs / (LEVEL_TAU_MS + shareMs)) * (w.strengthG - w.levelG);
}

function finishBin(w: MotionWindow): void {
  const { sumCount } = w;
  const x = w.sumX / sumCount;
  const y = w.sumY / sumCount;
  const z = w.sumZ / sumCount;
  const gap = w.count === 0 ? 1 : w.bin - w.newestBin;
  const from = 3 * w.head;
  const lastX = w.xyz[from] ?? 0;
  const lastY = w.xyz[from + 1] ?? 0;
  const lastZ = w.xyz[from + 2] ?? 0;
  const bridged = gap <= BRIDGED_BINS;
  for (let i = 1; i < gap; i += 1) {
    const share = bridged ? i / gap : 0;
    push(w, lastX + share * (x - lastX), lastY + share * (y - lastY), lastZ + share * (z - lastZ), bridged ? 1 : 0);
  }
  push(w, x, y, z, 1);
  w.peakG[w.head] = w.sumPeakG;
  w.samplesIn[w.head] = sumCount;
  w.newestBin = w.bin;
  emptySum(w);
}

function push(w: MotionWindow, x: number, y: number, z: number, known: 0 | 1): void {
  w.head = (w.head + 1) % BINS;
  w.count = Math.min(BINS, w.count + 1);
  w.xyz[3 * w.head] = x;
  w.xyz[3 * w.head + 1] = y;
  w.xyz[3 * w.head + 2] = z;
  w.known[w.head] = known;
  w.peakG[w.head] = 0;
  w.samplesIn[w.head] = 0;
}

function emptySum(w: MotionWindow): void {
  w.sumX = 0;
  w.sumY = 0;
  w.sumZ = 0;
  w.sumCount = 0;
  w.sumPeakG = 0;
}
