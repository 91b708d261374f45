/** Acceleration → does it shake now? Looks at the last second every 60 ms and asks a forest that has learnt from recordings. */
import { askForest, type PackedForest, packForest } from './forest.ts';
import { createWorkspace, describeMotion, type Workspace } from './motion-features.ts';
import { addSample, BIN_MS, BINS, createMotionWindow, type MotionWindow } from './motion-window.ts';
import { shakeForest } from './shake-forest.ts';

/** Looks are so many bins apart, in the clock of the readings: 60 ms. */
export const LOOK_BINS = 3;
/** Log-odds are smoothed over this time: one look may err. */
export const ODDS_TAU_MS = 60;
export const ODDS_ON = 2;
export const ODDS_OFF = 0;
/** Below this level nothing is asked: sleep costs next to nothing. */
export const STILL_G = 0.15;
/** Log-odds of stillness. */
const STILL_ODDS = -4;
/** A shake began where it was last so much weaker than its peak for so long. */
const BEGUN_SHARE = 0.35;
const BEGUN_BINS = 10;

/** Belongs to the detector: a state handed in is given away. */
export interface Shaking {
  readonly window: MotionWindow;
  readonly workspace: Workspace;
  /** Smoothed log-odds of the newest look. */
  odds: number;
  look: number;
}

/** The forest that has learnt from recordings (shake-forest.ts). */
export const shippedForest: PackedForest = packForest(shakeForest);

export function createShaking(): Shaking {
  return { window: createMotionWindow(), workspace: createWorkspace(), odds: STILL_ODDS, look: Number.NaN };
}

export interface Sense {
  /** Above 1: weaker shakes count. */
  readonly gain: number;
  readonly forest: PackedForest;
}

/** Takes one sample in g. True: there was a look. */
export function senseShaking(s: Shaking, atMs: number, x: number, y: number, z: number, sense: Sense): boolean {
  const { window } = s;
  if (!addSample(window, atMs, x, y, z)) return false;
  const look = Math.floor(window.newestBin / LOOK_BINS);
  if (look === s.look) return false;
  const passedMs = (look - s.look) * LOOK_BINS * BIN_MS;
  s.look = look;
  const odds = oddsOf(s, sense);
  // A gap, or a clock that has started again: what was thought before says nothing.
  const share = passedMs > 0 && passedMs < BINS * BIN_MS ? passedMs / (ODDS_TAU_MS + passedMs) : 1;
  s.odds += share * (odds - s.odds);
  return true;
}

function oddsOf({ window, workspace }: Shaking, { gain, forest }: Sense): number {
  if (window.levelG * gain < STILL_G || !describeMotion(window, gain, workspace)) return STILL_ODDS;
  return askForest(forest, workspace.features);
}

/** Where the movement of now began, as far as the window reaches back: its time, its readings and its strongest sample. */
export function beginOf({ window }: Shaking): { atMs: number; readings: number; peakG: number } {
  const { head, count, peakG: peaks, samplesIn } = window;
  let [peakG, readings, weak, begin] = [0, window.sumCount, 0, 0];
  for (let i = 0; i < count && weak < BEGUN_BINS; i += 1) {
    const j = (head - i + BINS) % BINS;
    const peak = peaks[j] ?? 0;
    if (peak > peakG) peakG = peak;
    if (peak >= BEGUN_SHARE * peakG) [begin, weak] = [i, 0];
    else weak += 1;
  }
  for (let i = 0; i <= begin; i += 1) readings += samplesIn[(head - i + BINS) % BINS] ?? 0;
  return { atMs: (window.newestBin - begin) * BIN_MS, readings, peakG };
}
