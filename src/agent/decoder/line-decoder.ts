/** What decoders of text share: lines in, readings out, everything else counted; and the clock of a recording. */
import { createBoundedMap, MAX_COLLARS } from './bounded-map.ts';
import { createLines } from './lines.ts';
import { createLiveClock } from './live-clock.ts';
import type { Decoded, Decoder, Discard, DiscardReason, NodeRequest, Reading } from './reading.ts';
import { textSample } from './sample.ts';

/** Adds the line's readings to `readings`, or says why the line is none. `line` is trimmed and not empty. */
export type ReadLine = (line: string, atMs: number | null, readings: Reading[]) => DiscardReason | null;

/**
 * Blank lines and lines that begin with # are discarded as 'comment': counted, harmless. `takeRequests`: what the lines since the
 * last time have asked for.
 */
export function createLineDecoder(
  readLine: ReadLine,
  lostSamples: () => number,
  takeRequests?: () => readonly NodeRequest[],
): Decoder {
  let readings: Reading[] = [];
  let discards: Discard[] = [];
  let arrivalMs: number | null = null;

  const lines = createLines({
    line(text, bytes, raw) {
      const line = text.trim();
      const harmless = line === '' || line.startsWith('#');
      const reason = harmless ? 'comment' : readLine(line, arrivalMs, readings);
      if (reason !== null) discards.push({ reason, bytes, sample: textSample(raw) });
    },
    tooLong(bytes, sample) {
      discards.push({ reason: 'too-long', bytes, sample });
    },
  });
  const decoded = (): Decoded => {
    const requests = takeRequests?.() ?? [];
    const result = { readings, discards, ...(requests.length === 0 ? {} : { requests }) };
    readings = [];
    discards = [];
    return result;
  };
  return {
    push(bytes, atMs) {
      arrivalMs = atMs;
      lines.push(bytes);
      return decoded();
    },
    end() {
      lines.end();
      return decoded();
    },
    get lostSamples() {
      return lostSamples();
    },
  };
}

/** From line to line of a collar in a recording without times: 50 Hz, what a collar is asked for. */
const STEP_MS = 20;

/** `samples`: of an even stream, how many steps after the one before; 0, or absent, for a line that is no sample of one. */
export type LineClock = (collar: string, atMs: number | null, ownMs: number | undefined, samples?: number) => number;

/**
 * The time of a line: its arrival, of a sample spread as `live-clock.ts` says; in a recording its own time, else 20 ms after the
 * collar's line before. A collar that is heard for the first time begins at the latest time of the recording so far.
 */
export function createLineClock(): LineClock {
  const last = createBoundedMap<string, number>(MAX_COLLARS);
  const live = createLiveClock();
  let latestMs = 0;
  return (collar, atMs, ownMs, samples = 0) => {
    if (atMs !== null) return samples === 0 ? atMs : live(collar, atMs, ownMs, samples);
    const before = last.get(collar);
    const ms = ownMs ?? (before === undefined ? latestMs : before + STEP_MS);
    last.set(collar, ms);
    latestMs = Math.max(latestMs, ms);
    return ms;
  };
}
