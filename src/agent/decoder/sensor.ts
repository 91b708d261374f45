/** Readings of formats whose senders have ids of their own: whose they are, and where. */
import { NO_COLLAR, type Reading } from './reading.ts';

/** What the configuration says of one sender. */
export interface SensorOptions {
  /** What its switch stands for, where it does not say it itself. */
  readonly kind?: 'motion' | 'shake' | undefined;
  readonly place?: string | undefined;
  readonly collar?: string | undefined;
}

export interface SensorsOptions {
  /** Where the receiver stands. */
  readonly place?: string | undefined;
  /** The collar of readings that name none. */
  readonly collar?: string | undefined;
  /** By the sender's own id. */
  readonly sensors?: Readonly<Record<string, SensorOptions>> | undefined;
}

/** What a message says, before it is known of whom. */
export type Said = Omit<Reading, 'collar' | 'atMs' | 'place' | 'sensor'>;

export interface Sensors {
  /** What is configured of these ids, the first that is known. */
  optionsOf(...ids: readonly string[]): SensorOptions | undefined;
  /** A message of `id` as a reading: of a room's sensor, or of a collar. */
  reading(said: Said, id: string, atMs: number, known?: SensorOptions): Reading;
}

export function createSensors(options: SensorsOptions): Sensors {
  const byId = new Map(Object.entries(options.sensors ?? {}).map(([id, sensor]) => [plain(id), sensor]));
  const optionsOf = (...ids: readonly string[]) => {
    for (const id of ids) {
      const known = byId.get(plain(id));
      if (known !== undefined) return known;
    }
    return undefined;
  };
  return {
    optionsOf,
    reading(said, id, atMs, known = optionsOf(id)) {
      const place = known?.place ?? options.place;
      const at = place === undefined ? {} : { place };
      if (!isOfRoom(said)) return { collar: known?.collar ?? id, atMs, ...said, ...at };
      // Its signal tells where the sensor hangs, and not where a cat is.
      const { rssiDbm: _, ...rest } = said;
      return { collar: known?.collar ?? options.collar ?? NO_COLLAR, atMs, ...rest, ...at, sensor: id };
    },
  };
}

/** Movement seen, and nothing felt: it hangs on a wall. */
function isOfRoom({ motion, axG, shake, edges, moveCount }: Said): boolean {
  return (
    motion !== undefined && axG === undefined && shake === undefined && edges === undefined && moveCount === undefined
  );
}

/** As ids are compared: an address is the same with and without colons, in either case. */
export function plain(id: string): string {
  return id.replace(/[:-]/g, '').toUpperCase();
}
