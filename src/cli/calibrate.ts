/** `collard calibrate`: learns rooms from recordings in which the column `place` says where the collar was. */
import { createReadStream } from 'node:fs';
import { Command } from 'commander';
import { createDecoder } from '../agent/decoder/decoder.ts';
import type { Decoded } from '../agent/decoder/reading.ts';
import { type LabelledSighting, learnRooms } from '../agent/detector/learn-rooms.ts';
import { LOOK_MS } from '../agent/detector/room-model.ts';
import { formatPlaces } from '../agent/places-file.ts';
import { checkFile, reasonOf, sizeOf } from './detect.ts';
import { CommandError, EXIT } from './exit.ts';
import { createMeter } from './meter.ts';
import { openOutput } from './out-file.ts';
import { printJson, safe, table, tell } from './output.ts';
import { stopOnSignals } from './stop.ts';

interface Options {
  readonly out: string;
  readonly json?: true;
}

/** Sightings of one calibration: 11 hours of six receivers, three times a second. Kept in memory. */
const MAX_SIGHTINGS = 700_000;
/** Fewer looks than half a minute of two a second say little of a room. */
const FEW_LOOKS = 60;

export function calibrateCommand(): Command {
  return new Command('calibrate')
    .description(
      'Learn rooms from recordings: csv with rssi_<receiver> columns, and place for the room the collar is in.',
    )
    .argument('<file...>', 'recordings: a minute in each room is enough, walks between rooms make it better')
    .requiredOption(
      '--out <file>',
      'where the places go: for detect --places and for places in agent.yaml; - is stdout',
    )
    .option('--json', 'print what was learnt as one JSON object')
    .action(calibrate);
}

async function calibrate(files: readonly string[], options: Options): Promise<void> {
  const stop = stopOnSignals();
  for (const file of files) checkFile(file);
  const runs: LabelledSighting[][] = [];
  const meter = createMeter();
  const total = sizeOf(files);
  let count = 0;
  let done = 0;
  for (const file of files) {
    const read = (bytes: number) => {
      done += bytes;
      meter.at(done, total, file);
    };
    const found = await readRuns(file, MAX_SIGHTINGS - count, read);
    meter.clear();
    for (const run of found) count += run.length;
    runs.push(...found);
  }
  const learnt = learnRooms(runs);
  if (!learnt.ok) throw new CommandError(EXIT.data, `nothing can be learnt: ${learnt.reason}`, null);
  const output = await openOutput(options.out, stop);
  try {
    await output.write(formatPlaces(learnt.model));
    await output.finish();
  } finally {
    await output.discard();
  }
  report(learnt, options);
}

/** One run for each collar of a file. Rows without a place teach nothing and are left out. */
async function readRuns(file: string, room: number, read: (bytes: number) => void): Promise<LabelledSighting[][]> {
  const decoder = createDecoder({ format: 'csv', truth: true });
  const runs = new Map<string, LabelledSighting[]>();
  let left = room;
  const take = ({ readings }: Decoded) => {
    for (const { collar, atMs, place, rssiDbm, truth } of readings) {
      if (place === undefined || rssiDbm === undefined || truth === undefined) continue;
      left -= 1;
      if (left < 0) {
        throw new CommandError(EXIT.data, `more than ${MAX_SIGHTINGS} sightings: an hour of each room is plenty`, null);
      }
      const run = runs.get(collar) ?? [];
      runs.set(collar, run);
      run.push({ atMs, receiver: place, dbm: rssiDbm, room: truth });
    }
  };
  try {
    for await (const chunk of createReadStream(file)) {
      take(decoder.push(chunk as Uint8Array, null));
      read((chunk as Uint8Array).length);
    }
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(EXIT.io, `${safe(file)} could not be read to its end: ${reasonOf(error)}`, null, {
      cause: error,
    });
  }
  take(decoder.end());
  if (runs.size === 0) tell(`${safe(file)}: no row tells a place and a receiver's strength (columns place and rssi_…)`);
  return [...runs.values()];
}

function report(learnt: Extract<ReturnType<typeof learnRooms>, { ok: true }>, options: Options): void {
  const { model, looks } = learnt;
  const rooms = model.rooms.map((room, i) => ({
    room,
    looks: looks.get(room) ?? 0,
    spots: model.spots.filter((spot) => spot.room === i).length,
  }));
  if (options.json === true && options.out !== '-') printJson({ receivers: model.receivers, rooms });
  else {
    const rows = rooms.map(({ room, looks: seen, spots }) => [safe(room), `${seen}`, `${spots}`]);
    tell(table(['room', `looks of ${LOOK_MS} ms`, 'spots'], rows));
  }
  for (const { room, looks: seen } of rooms) {
    if (seen < FEW_LOOKS) tell(`${safe(room)}: only ${seen} looks; stay for a minute, better in several spots`);
  }
  if (rooms.length === 1) tell('one room only: every collar that is heard will be in it');
}
