/** The small file that `collard calibrate` writes and agent and `collard detect` load: the one border of room models. */
import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { prepareRooms, type Rooms } from './detector/room-filter.ts';
import { MAX_MODEL_RECEIVERS, MAX_ROOMS, MAX_SPOTS, type RoomModel } from './detector/room-model.ts';

const MAX_PLACES_BYTES = 1_000_000;
const name = z.string().min(1).max(64);

const placesSchema = z
  .strictObject({
    version: z.literal(1),
    receivers: z.array(name).min(1).max(MAX_MODEL_RECEIVERS),
    rooms: z.array(name).min(1).max(MAX_ROOMS),
    spots: z
      .array(z.strictObject({ room: z.int().min(0), dbm: z.array(z.number().min(-200).max(50)) }))
      .min(1)
      .max(MAX_SPOTS),
    spreadDb: z.array(z.number().min(0.1).max(100)),
    moves: z.array(z.array(z.number().min(0).max(1))),
  })
  .refine(
    ({ receivers, rooms, spots, spreadDb, moves }) =>
      spreadDb.length === receivers.length &&
      moves.length === spots.length &&
      moves.every((row) => row.length === spots.length) &&
      spots.every(({ room, dbm }) => room < rooms.length && dbm.length === receivers.length),
    'its parts do not fit each other',
  );

/** What a user must mend: the message names the file and the fix. `code`: PLACES_UNREADABLE or PLACES_INVALID. */
export class PlacesError extends Error {
  readonly code: 'PLACES_UNREADABLE' | 'PLACES_INVALID';

  constructor(code: PlacesError['code'], message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'PlacesError';
    this.code = code;
  }
}

/** Throws PlacesError. */
export function loadPlaces(path: string): Rooms {
  let text: string;
  try {
    if (statSync(path).size > MAX_PLACES_BYTES) {
      throw new PlacesError('PLACES_INVALID', `${path} is larger than ${MAX_PLACES_BYTES} bytes: no places`, null);
    }
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof PlacesError) throw error;
    const { code = '' } = error as NodeJS.ErrnoException;
    throw new PlacesError('PLACES_UNREADABLE', `cannot read the places in ${path}: ${code}`, error);
  }
  return prepareRooms(parsePlaces(path, text));
}

/** One line for each spot, so that a difference between two files can be read. */
export function formatPlaces(model: RoomModel): string {
  const { spots, moves, ...head } = model;
  const rows = (values: readonly unknown[]) =>
    `[\n${values.map((value) => `  ${JSON.stringify(value)}`).join(',\n')}\n]`;
  const open = JSON.stringify(head).slice(0, -1);
  return `${open},\n"spots":${rows(spots)},\n"moves":${rows(moves)}}\n`;
}

function parsePlaces(path: string, text: string): RoomModel {
  const fix = 'collard calibrate FILE… --out makes it anew';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new PlacesError('PLACES_INVALID', `${path} is not JSON, so it holds no places: ${fix}`, error);
  }
  const parsed = placesSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined ? '' : `${issue.path.join('.')} ${issue.message}`.trim();
  throw new PlacesError('PLACES_INVALID', `${path} holds no places: ${where}: ${fix}`, parsed.error);
}
