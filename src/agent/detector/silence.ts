/** A collar that is not heard any more → collar.silent, and collar.heard when it comes back. Silence shows only on ticks. */
import type { Detection } from './detection.ts';

export interface SilenceSettings {
  readonly afterMs: number;
}

/** Belongs to the detector: a state handed in is given away. */
export interface SilenceState {
  readonly collar: string;
  /** The newest reading of the collar itself; null before the first. */
  lastSeenMs: number | null;
  silent: boolean;
}

/** The collar was heard. Adds what it decides to `out`. */
export function silenceReading(state: SilenceState, atMs: number, out: Detection[]): void {
  if (state.silent) {
    out.push({ type: 'collar.heard', collar: state.collar, atMs, lastSeenMs: state.lastSeenMs ?? atMs });
  }
  state.silent = false;
  state.lastSeenMs = atMs;
}

/** Time passes. Adds what it decides to `out`. */
export function silenceTick(state: SilenceState, atMs: number, settings: SilenceSettings, out: Detection[]): void {
  if (state.silent || state.lastSeenMs === null || atMs - state.lastSeenMs < settings.afterMs) return;
  state.silent = true;
  // When it was due, not when somebody looked: the pace of ticks changes nothing.
  const dueMs = state.lastSeenMs + settings.afterMs;
  out.push({ type: 'collar.silent', collar: state.collar, atMs: dueMs, lastSeenMs: state.lastSeenMs });
}
