/** Sightings of a collar in a home that is made up, for the tests of places: walls, fading, and a body in the way now and then. */
import { createRandom } from '../../../src/simulator/random.ts';

export interface Stay {
  readonly room: string;
  readonly forMs: number;
}

export interface HomeRow {
  readonly atMs: number;
  readonly room: string;
  readonly dbm: ReadonlyMap<string, number>;
}

/** Rooms in a row of 4 m each, a receiver in the corner of each. Only neighbours have a door. */
export const ROOMS = ['bath', 'hall', 'kitchen', 'living'] as const;
const ROOM_M = 4;
const EVERY_MS = 333;

/** One collar that walks about within each room where it stays. The same seed gives the same rows. */
export function homeRows(stays: readonly Stay[], seed: number, fromMs = 0): HomeRow[] {
  const random = createRandom(seed, 1);
  const fading = ROOMS.map(() => 0);
  const rows: HomeRow[] = [];
  let atMs = fromMs;
  let x = 0;
  for (const { room, forMs } of stays) {
    const left = (ROOMS as readonly string[]).indexOf(room) * ROOM_M;
    x = Math.min(Math.max(x, left + 0.2), left + ROOM_M - 0.2);
    for (const endMs = atMs + forMs; atMs < endMs; atMs += EVERY_MS) {
      x = Math.min(Math.max(x + 0.25 * random.normal(), left + 0.2), left + ROOM_M - 0.2);
      const dbm = new Map<string, number>();
      for (const [i, receiver] of ROOMS.entries()) {
        const apart = Math.hypot(x - (i * ROOM_M + 1), 2);
        const walls = Math.abs(i - left / ROOM_M);
        fading[i] = 0.8 * (fading[i] ?? 0) + 2 * random.normal();
        const hidden = random.next() < 0.08 ? 12 : 0;
        const strength = -45 - 25 * Math.log10(apart) - 4 * walls + (fading[i] ?? 0) - hidden;
        if (random.next() > 0.1) dbm.set(receiver, Math.round(strength));
      }
      rows.push({ atMs, room, dbm });
    }
  }
  return rows;
}

/** As a receiver writes it, with the truth for a calibration. */
export function homeCsv(rows: readonly HomeRow[]): string {
  const lines = rows.map(({ atMs, room, dbm }) => [atMs, ...ROOMS.map((name) => dbm.get(name) ?? ''), room].join(','));
  return [`t_ms,${ROOMS.map((name) => `rssi_${name}`).join(',')},place`, ...lines, ''].join('\n');
}
