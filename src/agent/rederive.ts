/**
 * Decides kept readings anew, with the detectors that decide live. Under the settings of then it decides what was decided then;
 * where it begins in the middle, the first minute is left out, for what the detectors had in mind is not known.
 */
import type { Detection } from './detector/detection.ts';
import { createWatch, rememberCollar, step, type WatchSettings, type WatchState } from './detector/watch.ts';
import type { KeptBlock, KeptEntry } from './kept/block.ts';

/** Longer than any window, filter or burst of a detector looks back. */
export const WARM_UP_MS = 60_000;

export interface Rederived {
  /** What was decided when the readings came, and what is decided now; times as wall time. */
  readonly live: readonly Detection[];
  readonly anew: readonly Detection[];
}

export interface Rederiver {
  /** The next block. `seen`: told each input once it has been decided on, with the state after it. */
  take(block: KeptBlock & { readonly goesOn: boolean }, seen?: Seen): Rederived;
}

export type Seen = (entry: KeptEntry, state: WatchState, offsetMs: number) => void;

export function createRederiver(settings: WatchSettings): Rederiver {
  let state = createWatch();
  /** In the clock of the readings. */
  let fromMs = Number.NEGATIVE_INFINITY;
  return {
    take({ head, entries, goesOn }, seen) {
      const { offsetMs, start } = head;
      if (!goesOn) {
        state = (start?.collars ?? []).reduce(rememberCollar, createWatch());
        const firstMs = entries[0] === undefined ? 0 : timeOf(entries[0]);
        fromMs = start?.whole === true ? Number.NEGATIVE_INFINITY : firstMs + WARM_UP_MS;
      }
      const live: Detection[] = [];
      const anew: Detection[] = [];
      for (const entry of entries) {
        const watched = step(state, entry.input, settings);
        state = watched.state;
        for (const one of entry.detections) if (beginOf(one) >= fromMs) live.push(atWallTime(one, offsetMs));
        for (const one of watched.detections) if (beginOf(one) >= fromMs) anew.push(atWallTime(one, offsetMs));
        seen?.(entry, state, offsetMs);
      }
      return { live, anew };
    },
  };
}

export function timeOf({ input }: KeptEntry): number {
  return input.type === 'reading' ? input.reading.atMs : input.atMs;
}

/** Of a meow its start: start and end stay together. */
function beginOf(one: Detection): number {
  return 'startMs' in one ? one.startMs : one.atMs;
}

function atWallTime(one: Detection, offsetMs: number): Detection {
  const atMs = one.atMs + offsetMs;
  switch (one.type) {
    case 'meow.started':
      return { ...one, atMs, startMs: one.startMs + offsetMs };
    case 'meow.ended':
      return { ...one, atMs, startMs: one.startMs + offsetMs, endMs: one.endMs + offsetMs };
    case 'collar.silent':
    case 'collar.heard':
      return { ...one, atMs, lastSeenMs: one.lastSeenMs + offsetMs };
    case 'cat.moved':
    case 'collar.sighted':
    case 'battery.low':
      return { ...one, atMs };
  }
}
