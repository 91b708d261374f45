/**
 * Where receivers meet. The same reading of a collar through a second receiver is one reading: what is left of the copy is that
 * this receiver heard it, and how strong. A copy has the same counter and says the same; time alone makes none.
 */
import { createBoundedMap, MAX_COLLARS } from './bounded-map.ts';
import { MOVE_COUNTS, type Reading } from './reading.ts';

export interface Receivers {
  /** The reading for the detectors, or null: a copy that does not say how strong it was. `source`: who read it. */
  take(reading: Reading, source: string): Reading | null;
}

/** Readings remembered, of all collars: of twenty at 50 Hz those of eight seconds. */
export const MAX_RECENT = 8_192;
/** A counter comes round again: later than this the same words are said anew. */
export const COPY_MS = 10_000;
/** A count of movements that jumps by more has begun again. */
const MAX_EDGES = 32;
/** Movements of a longer pause are movements of no known time. */
const MAX_PAUSE_MS = 60_000;

interface Told {
  readonly receiver: string;
  readonly atMs: number;
}

interface Moved {
  readonly count: number;
  readonly atMs: number;
}

/**
 * `sources`: how many there are. With one, nothing is remembered before its readings name a second receiver: the very first of that one
 * may be a copy that is not known as one.
 */
export function createReceivers(sources = Number.POSITIVE_INFINITY): Receivers {
  const recent = createBoundedMap<string, Told>(MAX_RECENT);
  let isAlone = sources === 1;
  let only: { readonly sensor: string | undefined; readonly place: string | undefined } | null = null;
  const moved = createBoundedMap<string, Moved>(MAX_COLLARS);

  const edgesOf = ({ collar, atMs, moveCount = 0 }: Reading): number => {
    const before = moved.get(collar);
    const edges = before === undefined ? 0 : (moveCount - before.count + MOVE_COUNTS) % MOVE_COUNTS;
    // Half the way round or more is a step back: an older message that came later by another way.
    if (edges > MOVE_COUNTS / 2) return 0;
    moved.set(collar, { count: moveCount, atMs });
    return before === undefined || edges > MAX_EDGES || atMs - before.atMs > MAX_PAUSE_MS ? 0 : edges;
  };
  return {
    take(reading, source) {
      if (isAlone) {
        only ??= { sensor: reading.sensor, place: reading.place };
        isAlone = only.sensor === reading.sensor && only.place === reading.place;
      }
      if (reading.counter !== undefined && !isAlone) {
        const receiver = `${source}\n${reading.sensor ?? ''}\n${reading.place ?? ''}`;
        const words = wordsOf(reading);
        const told = recent.get(words);
        const isNear = told !== undefined && Math.abs(reading.atMs - told.atMs) <= COPY_MS;
        if (isNear && told.receiver !== receiver) return sighting(reading);
        recent.renew(words, { receiver, atMs: reading.atMs });
      }
      if (reading.moveCount === undefined) return reading;
      const edges = edgesOf(reading);
      return edges === 0 ? reading : { ...reading, edges };
    },
  };
}

/** What the collar said: all that is the same wherever it is heard, to what any format can tell (1 mg). */
function wordsOf(reading: Reading): string {
  const { collar, counter, axG, ayG, azG, shake, edges, moveCount, motion, batteryPercent } = reading;
  return `${collar}\n${counter},${mg(axG)},${mg(ayG)},${mg(azG)},${shake},${edges},${moveCount},${motion},${batteryPercent}`;
}

function mg(g: number | undefined): number | undefined {
  return g === undefined ? undefined : Math.round(g * 1000);
}

function sighting({ collar, atMs, place, sensor, rssiDbm }: Reading): Reading | null {
  if (rssiDbm === undefined) return null;
  const at = { ...(place === undefined ? {} : { place }), ...(sensor === undefined ? {} : { sensor }) };
  return { collar, atMs, ...at, rssiDbm };
}
