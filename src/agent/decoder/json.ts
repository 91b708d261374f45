/**
 * One JSON object a line, any subset of the fields. Acceleration in g, all three axes or none. A line whose value has
 * another type or is out of range is discarded as a whole: half a truth is worse than a counted loss.
 * `n` counts a collar's lines at one receiver. `t` (ms) is the recording's own clock; live, arrival is the time.
 */
import { createLineCounter } from './line-counter.ts';
import { createLineClock, createLineDecoder } from './line-decoder.ts';
import type { Decoder, DiscardReason, Reading } from './reading.ts';
import {
  BAD,
  type Checked,
  checkCounter,
  checkFlag,
  checkG,
  checkLevel,
  checkMs,
  checkName,
  checkPercent,
  checkRssi,
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
  'motion',
  'place',
  'sensor',
  'rssi',
  'battery',
] as const;

type Field = (typeof JSON_FIELDS)[number];

/** The collar of a motion sensor's lines, which belong to no collar, where the configuration names none. */
export const NO_COLLAR = 'unknown';

interface JsonOptions {
  readonly place?: string | undefined;
  readonly collar?: string | undefined;
  /** Our field name to theirs. */
  readonly fields?: Readonly<Record<string, string>> | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function createJsonDecoder(options: JsonOptions): Decoder {
  const names = Object.fromEntries(JSON_FIELDS.map((name) => [name, options.fields?.[name] ?? name])) as Record<
    Field,
    string
  >;
  const timeOf = createLineClock();
  const counters = createLineCounter();
  let lostSamples = 0;

  const readLine = (line: string, atMs: number | null, readings: Reading[]): DiscardReason | null => {
    const object = parse(line);
    if (object === null) return 'not-json';
    const reading: Mutable<Reading> = { collar: '', atMs: 0 };
    const own = checkName(object[names.collar]);
    const t = checkMs(object[names.t]);
    if (own === BAD || t === BAD || !fill(reading, object, names)) return 'bad-value';
    const isMotionSensor = reading.motion !== undefined && reading.axG === undefined;
    const collar = own ?? options.collar ?? (isMotionSensor ? NO_COLLAR : undefined);
    if (collar === undefined) return 'no-collar';
    if (reading.place === undefined && options.place !== undefined) reading.place = options.place;
    if (reading.counter !== undefined) {
      const lost = counters.next(`${collar}\n${reading.sensor ?? reading.place ?? ''}`, reading.counter);
      if (lost === 'duplicate') return 'duplicate';
      lostSamples += lost;
    }
    reading.collar = collar;
    reading.atMs = timeOf(collar, atMs, t);
    readings.push(reading);
    return null;
  };
  return createLineDecoder(readLine, () => lostSamples);
}

/** Sets what the object says. False: a value of another type or out of range, or not all three axes. */
function fill(reading: Mutable<Reading>, object: Record<string, unknown>, names: Record<Field, string>): boolean {
  return (
    set(reading, 'counter', checkCounter(object[names.n])) &&
    set(reading, 'axG', checkG(object[names.ax])) &&
    set(reading, 'ayG', checkG(object[names.ay])) &&
    set(reading, 'azG', checkG(object[names.az])) &&
    (reading.axG === undefined) === (reading.ayG === undefined) &&
    (reading.axG === undefined) === (reading.azG === undefined) &&
    set(reading, 'shake', checkLevel(object[names.shake])) &&
    set(reading, 'motion', checkFlag(object[names.motion])) &&
    set(reading, 'place', checkName(object[names.place])) &&
    set(reading, 'sensor', checkName(object[names.sensor])) &&
    set(reading, 'rssiDbm', checkRssi(object[names.rssi])) &&
    set(reading, 'batteryPercent', checkPercent(object[names.battery]))
  );
}

function set<K extends keyof Reading>(reading: Mutable<Reading>, key: K, value: Checked<NonNullable<Reading[K]>>) {
  if (value === BAD) return false;
  if (value !== undefined) reading[key] = value;
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
