/**
 * When each collar was last heard, for health: a cat that lies still makes no event, and its collar works all the same. Times
 * stay monotonic until they are told, so that a clock that is set meanwhile does not spoil them.
 */
import { type HeardCollar, MAX_HEARD_COLLARS } from '../../contract/message.ts';
import type { Reading } from '../decoder/reading.ts';

export interface Heard {
  /** A reading that came from a collar itself, not from a sensor of the room. */
  note(reading: Reading): void;
  /** Newest first. `wallOf`: the wall time of a moment in the clock of the readings, RFC 3339. */
  health(wallOf: (monoMs: number) => string): HeardCollar[];
}

interface Last {
  readonly collar: string;
  atMs: number;
  place: string | undefined;
  rssiDbm: number | undefined;
  batteryPercent: number | undefined;
}

/** Beyond MAX_HEARD_COLLARS the collar whose reading came longest ago is forgotten. */
export function createHeard(): Heard {
  // In the order of their last readings: the first one is the next to be forgotten.
  const collars = new Map<string, Last>();
  return {
    note({ collar, atMs, place, rssiDbm, batteryPercent }) {
      const before = collars.get(collar);
      collars.delete(collar);
      if (before === undefined && collars.size >= MAX_HEARD_COLLARS) {
        const { value: oldest } = collars.keys().next();
        if (oldest !== undefined) collars.delete(oldest);
      }
      const last = before ?? { collar, atMs, place, rssiDbm, batteryPercent };
      collars.set(collar, last);
      last.batteryPercent = batteryPercent ?? last.batteryPercent;
      if (atMs < last.atMs) return;
      // Together: how strong it was, and where.
      last.atMs = atMs;
      last.place = place;
      last.rssiDbm = rssiDbm;
    },
    health: (wallOf) =>
      [...collars.values()]
        .sort((a, b) => b.atMs - a.atMs)
        .map(({ collar, atMs, place, rssiDbm, batteryPercent }) => ({
          collar,
          lastHeard: wallOf(atMs),
          ...(rssiDbm === undefined ? {} : { rssiDbm }),
          ...(batteryPercent === undefined ? {} : { batteryPercent }),
          ...(place === undefined ? {} : { place }),
        })),
  };
}
