/**
 * BTHome version 2 in hex: the service data (from the device information on, or with D2FC before it), or the whole advertisement;
 * with address and signal strength as in hex-line.ts. Encrypted data is opened with the bind key of its address (AES-128-CCM).
 * Three accelerations are axes x, y, z; a lone one is a magnitude, which stands on z. What collars do not say is passed over.
 */
import { createDecipheriv } from 'node:crypto';
import { advertised, parseHexLine } from './hex-line.ts';
import { createLineCounter } from './line-counter.ts';
import { createLineClock, createLineDecoder } from './line-decoder.ts';
import type { Decoder, DiscardReason, Reading } from './reading.ts';
import { createSensors, plain, type Said, type SensorsOptions } from './sensor.ts';
import { BAD, checkG, checkPercent, FLAGGED_LOW_PERCENT, STANDARD_GRAVITY } from './value.ts';

export interface BthomeOptions extends SensorsOptions {
  /** Bind keys, 32 hex digits each, by address. */
  readonly bindKeys?: Readonly<Record<string, string>> | undefined;
}

const SERVICE = 'd2fc';
const SERVICE_DATA = 0x16;
const VERSION = 2;
const ENCRYPTED = 0x01;
const COUNTER_BYTES = 4;
const MIC_BYTES = 4;
const PACKET_IDS = 0x100;
const ENCRYPTION_COUNTERS = 2 ** 32;

/** Bytes of each object; those of text and raw data begin with their length. */
const VARIABLE = -1;
const lengths: readonly (readonly [from: number, to: number, bytes: number])[] = [
  [0x00, 0x01, 1],
  [0x02, 0x03, 2],
  [0x04, 0x05, 3],
  [0x06, 0x08, 2],
  [0x09, 0x09, 1],
  [0x0a, 0x0b, 3],
  [0x0c, 0x0e, 2],
  [0x0f, 0x11, 1],
  [0x12, 0x14, 2],
  [0x15, 0x2f, 1],
  [0x3a, 0x3a, 1],
  [0x3c, 0x3d, 2],
  [0x3e, 0x3e, 4],
  [0x3f, 0x41, 2],
  [0x42, 0x42, 3],
  [0x43, 0x45, 2],
  [0x46, 0x46, 1],
  [0x47, 0x4a, 2],
  [0x4b, 0x4b, 3],
  [0x4c, 0x50, 4],
  [0x51, 0x52, 2],
  [0x53, 0x54, VARIABLE],
  [0x55, 0x55, 4],
  [0x56, 0x56, 2],
  [0x57, 0x59, 1],
  [0x5a, 0x5a, 2],
  [0x5b, 0x5c, 4],
  [0x5d, 0x5f, 2],
  [0x60, 0x60, 1],
  [0x61, 0x61, 2],
  [0x62, 0x63, 4],
  [0x64, 0x64, 1],
  [0xf0, 0xf0, 2],
  [0xf1, 0xf1, 4],
  [0xf2, 0xf2, 3],
];

/** What of a packet is ours. */
interface Packet {
  id?: number;
  battery?: number;
  batteryLow?: boolean;
  motion?: boolean;
  vibration?: boolean;
  readonly accelerationsMs2: number[];
}

interface Open {
  readonly objects: Buffer;
  /** Of an encrypted packet. */
  readonly counter: number | null;
}

export function createBthomeDecoder(options: BthomeOptions): Decoder {
  const sensors = createSensors(options);
  const keys = new Map(
    Object.entries(options.bindKeys ?? {}).map(([mac, key]) => [plain(mac), Buffer.from(key, 'hex')]),
  );
  const timeOf = createLineClock();
  const counters = createLineCounter();
  let lostSamples = 0;

  const readLine = (line: string, atMs: number | null, readings: Reading[]): DiscardReason | null => {
    const heard = parseHexLine(line);
    if (heard === null) return 'bad-format';
    const data = serviceDataOf(heard.payload);
    if (data === null) return 'bad-version';
    const id = heard.address ?? options.collar;
    if (id === undefined) return 'no-collar';
    const open = decrypt(data, heard.address ?? plain(id), keys);
    if (typeof open === 'string') return open;
    const packet = readObjects(open.objects);
    const said = packet === null ? null : saidBy(packet, heard.rssiDbm);
    if (packet === null || said === null) return packet === null ? 'bad-length' : 'bad-value';
    const counter = packet.id ?? open.counter;
    if (counter !== null) {
      // Two counters of their own widths, of which a sender may change from one to the other.
      const [name, wrap] = packet.id === undefined ? [`${id} sealed`, ENCRYPTION_COUNTERS] : [id, PACKET_IDS];
      const lost = counters.next(name, counter, wrap);
      if (lost === 'duplicate') return 'duplicate';
      lostSamples += lost;
    }
    if (Object.keys(said).length === 0) return 'no-reading';
    const counted = counter === null ? said : { counter, ...said };
    readings.push(sensors.reading(counted, id, timeOf(id, atMs, undefined)));
    return null;
  };
  return createLineDecoder(readLine, () => lostSamples);
}

/** From the device information on, or null: another version or maker. */
function serviceDataOf(payload: Buffer): Buffer | null {
  const data = payload.toString('hex', 0, 2) === SERVICE ? payload.subarray(2) : payload;
  const found = isVersion(data) ? data : advertised(payload, SERVICE_DATA, SERVICE);
  return found !== null && isVersion(found) ? found : null;
}

function isVersion(data: Buffer): boolean {
  return data.length > 0 && (data[0] as number) >> 5 === VERSION;
}

function decrypt(data: Buffer, mac: string, keys: ReadonlyMap<string, Buffer>): Open | DiscardReason {
  const info = data[0] as number;
  if ((info & ENCRYPTED) === 0) return { objects: data.subarray(1), counter: null };
  const key = keys.get(mac);
  if (key === undefined) return 'no-key';
  const end = data.length - COUNTER_BYTES - MIC_BYTES;
  if (end <= 1) return 'bad-length';
  const counter = data.subarray(end, end + COUNTER_BYTES);
  const nonce = Buffer.concat([Buffer.from(mac, 'hex'), Buffer.from(SERVICE, 'hex'), data.subarray(0, 1), counter]);
  try {
    const decipher = createDecipheriv('aes-128-ccm', key, nonce, { authTagLength: MIC_BYTES });
    decipher.setAuthTag(data.subarray(end + COUNTER_BYTES));
    const objects = decipher.update(data.subarray(1, end));
    decipher.final();
    return { objects, counter: counter.readUInt32LE() };
  } catch {
    // The tag does not fit, or the address or key has not the length that the cipher wants.
    return 'bad-key';
  }
}

/** Null: the last object is cut short. Objects of newer kinds end the reading, as the specification says. */
function readObjects(objects: Buffer): Packet | null {
  const packet: Packet = { accelerationsMs2: [] };
  for (let at = 0; at < objects.length; ) {
    const kind = objects[at] as number;
    const known = lengths.find(([from, to]) => kind >= from && kind <= to)?.[2];
    if (known === undefined) return packet;
    const from = known === VARIABLE ? at + 2 : at + 1;
    const end = from + (known === VARIABLE ? (objects[at + 1] ?? 0) : known);
    if (end > objects.length) return null;
    take(packet, kind, objects.subarray(from, end));
    at = end;
  }
  return packet;
}

function take(packet: Packet, kind: number, value: Buffer): void {
  switch (kind) {
    case 0x00:
      packet.id = value.readUInt8();
      break;
    case 0x01:
      packet.battery = value.readUInt8();
      break;
    case 0x15:
      packet.batteryLow = value.readUInt8() === 1;
      break;
    case 0x21:
      packet.motion = value.readUInt8() === 1;
      break;
    case 0x2c:
      packet.vibration = value.readUInt8() === 1;
      break;
    case 0x51:
      packet.accelerationsMs2.push(value.readUInt16LE() / 1e3);
      break;
    case 0x63:
      packet.accelerationsMs2.push(value.readInt32LE() / 1e6);
      break;
  }
}

/** Null: a value that no collar has. */
function saidBy(packet: Packet, rssiDbm: number | undefined): Said | null {
  const battery = checkPercent(packet.battery ?? (packet.batteryLow === true ? FLAGGED_LOW_PERCENT : undefined));
  const { accelerationsMs2, motion, vibration } = packet;
  const [a, b, c] = accelerationsMs2.map((value) => checkG(value / STANDARD_GRAVITY));
  if (battery === BAD || a === BAD || b === BAD || c === BAD) return null;
  const axes =
    a === undefined ? {} : b === undefined || c === undefined ? { axG: 0, ayG: 0, azG: a } : { axG: a, ayG: b, azG: c };
  return {
    ...axes,
    ...(vibration === undefined ? {} : { shake: Number(vibration) }),
    ...(motion === undefined ? {} : { motion }),
    ...(rssiDbm === undefined ? {} : { rssiDbm }),
    ...(battery === undefined ? {} : { batteryPercent: battery }),
  };
}
