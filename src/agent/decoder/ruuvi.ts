/**
 * RuuviTags, data format 5 in hex: the 24 bytes themselves, the manufacturer's data (9904 before them), or the whole
 * advertisement; with address and signal strength as in hex-line.ts. A tag says the same measurement several times: its
 * sequence tells. Its movement counter goes on as it is.
 */
import { advertised, parseHexLine } from './hex-line.ts';
import { createLineCounter } from './line-counter.ts';
import { createLineClock, createLineDecoder } from './line-decoder.ts';
import type { Decoder, DiscardReason, Reading } from './reading.ts';
import { createSensors, type Said, type SensorsOptions } from './sensor.ts';
import { coinCellPercent } from './value.ts';

const FORMAT = 5;
const LENGTH = 24;
const MANUFACTURER = '9904';
const MANUFACTURER_DATA = 0xff;
/** Of the sequence; 65 535 means "unknown". */
const SEQUENCES = 65_535;

interface RuuviData {
  readonly mac: string | null;
  readonly sequence: number | null;
  readonly said: Said;
}

export function createRuuviDecoder(options: SensorsOptions): Decoder {
  const sensors = createSensors(options);
  const timeOf = createLineClock();
  const counters = createLineCounter();
  let lostSamples = 0;

  const readLine = (line: string, atMs: number | null, readings: Reading[]): DiscardReason | null => {
    const heard = parseHexLine(line);
    if (heard === null) return 'bad-format';
    const bytes = dataOf(heard.payload);
    if (bytes === null) return 'bad-version';
    if (bytes.length !== LENGTH) return 'bad-length';
    const { mac, sequence, said } = parseRuuvi(bytes);
    const id = mac ?? heard.address ?? options.collar;
    if (id === undefined) return 'no-collar';
    if (sequence !== null) {
      const lost = counters.next(id, sequence, SEQUENCES);
      if (lost === 'duplicate') return 'duplicate';
      lostSamples += lost;
    }
    const { rssiDbm } = heard;
    if (Object.keys(said).length === 0 && rssiDbm === undefined) return 'no-reading';
    const all = { ...said, ...(rssiDbm === undefined ? {} : { rssiDbm }) };
    readings.push(sensors.reading(all, id, timeOf(id, atMs, undefined)));
    return null;
  };
  return createLineDecoder(readLine, () => lostSamples);
}

/** The bytes of the format, or null: another format or maker. */
function dataOf(payload: Buffer): Buffer | null {
  if (payload[0] === FORMAT && payload.length === LENGTH) return payload;
  const data = payload.toString('hex', 0, 2) === MANUFACTURER ? payload.subarray(2) : null;
  const found = data ?? advertised(payload, MANUFACTURER_DATA, MANUFACTURER) ?? payload;
  return found[0] === FORMAT ? found : null;
}

/** The 24 bytes. What is marked invalid is absent. */
function parseRuuvi(bytes: Buffer): RuuviData {
  const axes = [7, 9, 11].map((at) => bytes.readInt16BE(at));
  const millivolts = (bytes.readUInt16BE(13) >> 5) + 1_600;
  const moveCount = bytes.readUInt8(15);
  const sequence = bytes.readUInt16BE(16);
  const mac = bytes.toString('hex', 18, 24).toUpperCase();
  const [x = 0, y = 0, z = 0] = axes;
  return {
    mac: mac === 'FFFFFFFFFFFF' ? null : mac,
    sequence: sequence === 0xffff ? null : sequence,
    said: {
      ...(sequence === 0xffff ? {} : { counter: sequence }),
      ...(axes.includes(-0x8000) ? {} : { axG: x / 1000, ayG: y / 1000, azG: z / 1000 }),
      ...(moveCount === 0xff ? {} : { moveCount }),
      ...(millivolts === 0x7ff + 1_600 ? {} : { batteryPercent: coinCellPercent(millivolts) }),
    },
  };
}
