/**
 * One JSON object a line, any subset of the fields. Acceleration in g or the configured unit, all three axes or none. A line
 * whose value has another type or is out of range is discarded as a whole: half a truth is worse than a counted loss.
 * `n` counts a collar's lines at one receiver. `t` (ms, or RFC 3339) is the recording's own clock; live, samples are spread up to their arrival.
 * With a field map these are the lines of rtl_433 and OpenMQTTGateway.
 */
import { createLineCounter } from './line-counter.ts';
import { createLineClock, createLineDecoder } from './line-decoder.ts';
import { type Decoder, type DiscardReason, NO_COLLAR, type Reading } from './reading.ts';
import { createSensors, type SensorsOptions } from './sensor.ts';
import {
  type AccelerationUnit,
  BAD,
  checkBattery,
  checkCounter,
  checkFlag,
  checkG,
  checkLevel,
  checkMoveCount,
  checkName,
  checkRssi,
  checkTime,
  countsPerG,
} from './value.ts';

/** Our names of the fields: the keys that a field map may have. */
export const JSON_FIELDS = [
  'collar',
  'n',
  't',
  'ax',
  'ay',
  'az',
  'shake',
  'edges',
  'moves',
  'motion',
  'place',
  'sensor',
  'rssi',
  'battery',
  'volt',
  'batteryOk',
] as const;

type Field = (typeof JSON_FIELDS)[number];

interface JsonOptions extends SensorsOptions {
  /** Our field name to theirs. */
  readonly fields?: Readonly<Record<string, string>> | undefined;
  readonly unit?: AccelerationUnit | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function createJsonDecoder(options: JsonOptions): Decoder {
  const names = Object.fromEntries(JSON_FIELDS.map((name) => [name, options.fields?.[name] ?? name])) as Record<
    Field,
    string
  >;
  const perG = countsPerG(options.unit ?? 'g');
  const sensors = createSensors(options);
  const timeOf = createLineClock();
  const counters = createLineCounter();
  let lostSamples = 0;

  const readLine = (line: string, atMs: number | null, readings: Reading[]): DiscardReason | null => {
    const object = parse(line);
    if (object === null) return 'not-json';
    const reading: Mutable<Reading> = { collar: '', atMs: 0 };
    const own = checkName(object[names.collar]);
    const t = checkTime(object[names.t]);
    if (own === BAD || t === BAD || !fill(reading, object, names, perG)) return 'bad-value';
    const isMotionSensor = reading.motion !== undefined && reading.axG === undefined;
    const known = options.sensors && sensors.optionsOf(reading.sensor ?? '', own ?? '');
    const collar = known?.collar ?? own ?? options.collar ?? (isMotionSensor ? NO_COLLAR : undefined);
    if (collar === undefined) return 'no-collar';
    const place = reading.place ?? known?.place ?? options.place;
    if (place !== undefined) reading.place = place;
    let steps = reading.axG === undefined ? 0 : 1;
    if (reading.counter !== undefined) {
      const lost = counters.next(`${collar}\n${reading.sensor ?? reading.place ?? ''}`, reading.counter);
      if (lost === 'duplicate') return 'duplicate';
      lostSamples += lost;
      if (steps > 0) steps += lost;
    }
    reading.collar = collar;
    reading.atMs = timeOf(collar, atMs, t, steps);
    readings.push(reading);
    return null;
  };
  return createLineDecoder(readLine, () => lostSamples);
}

/** Sets what the object says. False: a value of another type or out of range, or not all three axes. */
function fill(
  reading: Mutable<Reading>,
  object: Record<string, unknown>,
  names: Record<Field, string>,
  perG: number,
): boolean {
  const counter = checkCounter(object[names.n]);
  const axG = checkG(object[names.ax], perG);
  const ayG = checkG(object[names.ay], perG);
  const azG = checkG(object[names.az], perG);
  const shake = checkLevel(object[names.shake]);
  const edges = checkCounter(object[names.edges]);
  const moveCount = checkMoveCount(object[names.moves]);
  const motion = checkFlag(object[names.motion]);
  const place = checkName(object[names.place]);
  const sensor = checkName(object[names.sensor]);
  const rssiDbm = checkRssi(object[names.rssi]);
  const batteryPercent = checkBattery(object[names.battery], object[names.volt], object[names.batteryOk]);
  if (counter === BAD || axG === BAD || ayG === BAD || azG === BAD || shake === BAD || motion === BAD) return false;
  if (place === BAD || sensor === BAD || rssiDbm === BAD || batteryPercent === BAD) return false;
  if (edges === BAD || moveCount === BAD) return false;
  if ((axG === undefined) !== (ayG === undefined) || (axG === undefined) !== (azG === undefined)) return false;
  // Each by its name: setting by a computed key costs more than parsing the line.
  if (counter !== undefined) reading.counter = counter;
  if (axG !== undefined) reading.axG = axG;
  if (ayG !== undefined) reading.ayG = ayG;
  if (azG !== undefined) reading.azG = azG;
  if (shake !== undefined) reading.shake = shake;
  if (edges !== undefined) reading.edges = edges;
  if (moveCount !== undefined) reading.moveCount = moveCount;
  if (motion !== undefined) reading.motion = motion;
  if (place !== undefined) reading.place = place;
  if (sensor !== undefined) reading.sensor = sensor;
  if (rssiDbm !== undefined) reading.rssiDbm = rssiDbm;
  if (batteryPercent !== undefined) reading.batteryPercent = batteryPercent;
  return true;
}

function parse(line: string): Record<string, unknown> | null {
  // Spares the exception where noise is plainly no object.
  if (!line.startsWith('{') || !line.endsWith('}')) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}
