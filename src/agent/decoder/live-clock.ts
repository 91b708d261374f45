/**
 * When the samples of a line format were taken, live. A port hands over what has come since it was last asked, so several samples
 * of a collar arrive at once, while the collar samples evenly. As in `sample-clock.ts` each collar has a clock that is
 * disciplined by arrival; its step is what the sender's own times say, else what the last seconds have shown.
 */
import { createBoundedMap, MAX_COLLARS } from './bounded-map.ts';

/** So long without a sample: the collar has paused, and begins anew when it is heard. */
const PAUSE_MS = 500;
/** The step is measured over this time, and followed by a share of what is new. */
const MEASURE_MS = 2_000;
const FIRST_MEASURE_MS = 400;
const STEP_SHARE = 0.25;
/** Fewer than 5 samples a second are no stream: each is when it arrives. */
const MAX_STEP_MS = 200;
/** What a sample corrects of its difference to arrival: earlier is evidence, later is mostly delay. */
const EARLY_GAIN = 1 / 8;
const LATE_GAIN = 1 / 32;
const EARLY_RESET_MS = 500;
const LATE_RESET_MS = 2_000;

interface Clock {
  /** Time of the newest sample, when it arrived, and what its sender called it. */
  endMs: number;
  arrivalMs: number;
  ownMs: number | undefined;
  /** null: not known yet. */
  stepMs: number | null;
  /** Since then so many samples have come. */
  sinceMs: number;
  samples: number;
}

/** `samples`: how many steps after the one before, more than 1 where some were lost. */
export type LiveClock = (collar: string, arrivalMs: number, ownMs: number | undefined, samples: number) => number;

export function createLiveClock(): LiveClock {
  const clocks = createBoundedMap<string, Clock>(MAX_COLLARS);
  return (collar, arrivalMs, ownMs, samples) => {
    const clock = clocks.get(collar);
    if (clock === undefined) {
      clocks.set(collar, { endMs: arrivalMs, arrivalMs, ownMs, stepMs: null, sinceMs: arrivalMs, samples: 0 });
      return arrivalMs;
    }
    clock.endMs = timeOf(clock, arrivalMs, ownMs, samples);
    clock.arrivalMs = arrivalMs;
    clock.ownMs = ownMs;
    return clock.endMs;
  };
}

function timeOf(clock: Clock, arrivalMs: number, ownMs: number | undefined, samples: number): number {
  const sinceMs = arrivalMs - clock.arrivalMs;
  if (!(sinceMs >= 0 && sinceMs < PAUSE_MS)) {
    [clock.sinceMs, clock.samples] = [arrivalMs, 0];
    return arrivalMs;
  }
  measure(clock, arrivalMs, sinceMs, samples);
  const ownStepMs = ownMs === undefined || clock.ownMs === undefined ? 0 : ownMs - clock.ownMs;
  const isOwn = ownStepMs > 0 && ownStepMs < PAUSE_MS;
  if (!isOwn && clock.stepMs === null) return arrivalMs;
  const stepMs = isOwn ? ownStepMs : (clock.stepMs ?? 0) * samples;
  const lateMs = arrivalMs - (clock.endMs + stepMs);
  if (lateMs > LATE_RESET_MS || lateMs < -EARLY_RESET_MS) return arrivalMs;
  // Where it is ahead it goes on at half speed, so that it never stands or goes back.
  return clock.endMs + Math.max(stepMs / 2, stepMs + lateMs * (lateMs < 0 ? EARLY_GAIN : LATE_GAIN));
}

/** From the first sample of what came at once to that of another such: in between lie as many steps as samples. */
function measure(clock: Clock, arrivalMs: number, sinceMs: number, samples: number): void {
  clock.samples += samples;
  const spanMs = arrivalMs - clock.sinceMs;
  if (sinceMs === 0 || spanMs < (clock.stepMs === null ? FIRST_MEASURE_MS : MEASURE_MS)) return;
  const stepMs = spanMs / clock.samples;
  const known = clock.stepMs;
  clock.stepMs = stepMs > MAX_STEP_MS ? null : known === null ? stepMs : known + STEP_SHARE * (stepMs - known);
  [clock.sinceMs, clock.samples] = [arrivalMs, 0];
}
