/**
 * When a collar's samples were taken. Frames arrive late, in bursts, and with gaps; the collar samples evenly. So each
 * collar has a clock that runs by its counter and rate, and is disciplined by arrival: a frame cannot arrive before its
 * last sample, and may arrive much later. Sample times of a collar never overlap and never go back.
 */

/** A forward jump of the counter up to this many frames is a loss (5 minutes at 10 frames a second); a longer one, or one
 * back, is a collar that has restarted and lost nothing that we know of. */
export const MAX_LOST_FRAMES = 3000;

/** Arrival so much later than predicted: the collar paused without counting. Below it, the frame waited in a buffer. */
const LATE_RESET_MS = 2_000;
/** Arrival so much earlier than predicted: the prediction is wrong. */
const EARLY_RESET_MS = 500;
/** Share of the difference that one frame corrects: earlier is evidence, later is mostly delay. */
const EARLY_GAIN = 1 / 8;
const LATE_GAIN = 1 / 32;

export interface SampleClock {
  counter: number;
  /** Time of the newest frame's last sample, and from sample to sample in it. */
  endMs: number;
  stepMs: number;
  samples: number;
}

export type Tick = { readonly type: 'duplicate' } | { readonly type: 'placed'; readonly lostSamples: number };

export interface FrameTime {
  readonly counter: number;
  /** Samples in the frame; 0 in a frame that only says that the collar is there. */
  readonly samples: number;
  readonly stepMs: number;
  /** Arrival, or null in a recording: then the clock is purely predicted. */
  readonly atMs: number | null;
  /** Latest time of any collar in the recording so far: where a collar begins that is heard for the first time. */
  readonly latestMs: number;
}

const duplicate: Tick = { type: 'duplicate' };
const nothingLost: Tick = { type: 'placed', lostSamples: 0 };

/** The clock of a collar at its first frame. */
export function startClock(frame: FrameTime): SampleClock {
  const { counter, samples, stepMs } = frame;
  const endMs = frame.atMs ?? Math.max(frame.latestMs, Math.max(samples - 1, 0) * stepMs);
  return { counter, samples, stepMs, endMs };
}

/** Moves the clock to this frame, in place. The frame's samples end at `endMs` and lie `stepMs` apart. */
export function advanceClock(clock: SampleClock, frame: FrameTime): Tick {
  const { samples, stepMs, atMs } = frame;
  const frames = (frame.counter - clock.counter) & 0xffff;
  if (frames === 0) return duplicate;
  const lostSamples = (frames - 1) * clock.samples;
  const spanMs = samples * stepMs;
  const predictedMs = clock.endMs + lostSamples * clock.stepMs + spanMs;
  // A loss is only believed when the time for it has passed: a restart near the wrap looks like a short jump ahead.
  const restarted = frames > MAX_LOST_FRAMES || (frames > 1 && atMs !== null && atMs < predictedMs - LATE_RESET_MS);

  let endMs = predictedMs;
  if (restarted) endMs = atMs ?? Math.max(frame.latestMs, clock.endMs + spanMs);
  // No samples, no prediction: a collar that only says that it is there is there now.
  else if (atMs !== null) endMs += samples === 0 ? Math.max(0, atMs - predictedMs) : correction(atMs - predictedMs);
  // When the clock is ahead it goes on at half speed, so that it never stands or goes back.
  endMs = Math.max(endMs, clock.endMs + spanMs / 2);

  clock.counter = frame.counter;
  clock.samples = samples;
  clock.stepMs = samples > 0 ? Math.min(stepMs, (endMs - clock.endMs) / samples) : stepMs;
  clock.endMs = endMs;
  return restarted || lostSamples === 0 ? nothingLost : { type: 'placed', lostSamples };
}

function correction(lateMs: number): number {
  if (lateMs > LATE_RESET_MS || lateMs < -EARLY_RESET_MS) return lateMs;
  return lateMs * (lateMs < 0 ? EARLY_GAIN : LATE_GAIN);
}
