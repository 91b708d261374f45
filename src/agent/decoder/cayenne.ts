/**
 * Cayenne LPP in hex, as LoRa collars send it: `channel type value …`; with the sender's address (DevEUI) and signal strength as in
 * hex-line.ts. Acceleration, presence and percentage (of the battery) are ours.
 */
import { parseHexLine } from './hex-line.ts';
import { createLineClock, createLineDecoder } from './line-decoder.ts';
import type { Decoder, DiscardReason, Reading } from './reading.ts';
import { createSensors, type Said, type SensorsOptions } from './sensor.ts';
import { BAD, checkPercent } from './value.ts';

const PRESENCE = 102;
const ACCELEROMETER = 113;
const PERCENTAGE = 120;

/** Bytes of a value, by its type. */
const lengths: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  100: 4,
  101: 2,
  [PRESENCE]: 1,
  103: 2,
  104: 1,
  [ACCELEROMETER]: 6,
  115: 2,
  116: 2,
  117: 2,
  118: 4,
  [PERCENTAGE]: 1,
  121: 2,
  125: 2,
  128: 2,
  130: 4,
  131: 4,
  132: 2,
  133: 4,
  134: 6,
  135: 3,
  136: 9,
  142: 1,
};

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function createCayenneDecoder(options: SensorsOptions): Decoder {
  const sensors = createSensors(options);
  const timeOf = createLineClock();
  const readLine = (line: string, atMs: number | null, readings: Reading[]): DiscardReason | null => {
    const heard = parseHexLine(line);
    if (heard === null) return 'bad-format';
    const said = readValues(heard.payload);
    if (typeof said === 'string') return said;
    const id = heard.address ?? options.collar;
    if (id === undefined) return 'no-collar';
    if (heard.rssiDbm !== undefined) said.rssiDbm = heard.rssiDbm;
    if (Object.keys(said).length === 0) return 'no-reading';
    readings.push(sensors.reading(said, id, timeOf(id, atMs, undefined)));
    return null;
  };
  return createLineDecoder(readLine, () => 0);
}

function readValues(bytes: Buffer): Mutable<Said> | DiscardReason {
  const said: Mutable<Said> = {};
  for (let at = 0; at < bytes.length; ) {
    const type = bytes[at + 1];
    const length = type === undefined ? undefined : lengths[type];
    if (type === undefined || length === undefined) return 'bad-format';
    const from = at + 2;
    if (from + length > bytes.length) return 'bad-length';
    if (type === PRESENCE) said.motion = bytes[from] !== 0;
    if (type === ACCELEROMETER) {
      said.axG = bytes.readInt16BE(from) / 1000;
      said.ayG = bytes.readInt16BE(from + 2) / 1000;
      said.azG = bytes.readInt16BE(from + 4) / 1000;
    }
    if (type === PERCENTAGE) {
      const percent = checkPercent(bytes[from]);
      if (percent === BAD) return 'bad-value';
      if (percent !== undefined) said.batteryPercent = percent;
    }
    at = from + length;
  }
  return said;
}
