/** What a receiver writes for a slice, in each format. Independent of the decoders, so that each checks the other. */
import type { Packet, Slice } from './simulation.ts';

export type SimulatedFormat = 'frame' | 'json' | 'csv';

export interface Encoder {
  /** What stands before everything else, such as a header line. */
  readonly head: Uint8Array;
  /** One chunk for each frame, or for each line. */
  encode(slice: Slice): Uint8Array[];
}

export function createEncoder(format: SimulatedFormat): Encoder {
  switch (format) {
    case 'frame':
      return { head: new Uint8Array(), encode: (slice) => slice.packets.map(encodeFrame) };
    case 'json':
      return { head: new Uint8Array(), encode: encodeJson };
    case 'csv':
      return { head: Buffer.from('t_ms,ax_g,ay_g,az_g\n'), encode: encodeCsv };
  }
}

/** A packet as a SLIP frame, END before and after it (RFC 1055 advises both). */
export function encodeFrame(packet: Packet): Uint8Array {
  const count = packet.samples.length;
  const body = Buffer.alloc(11 + 6 * count + 2);
  body.writeUInt8(1, 0);
  body.writeUInt32BE(packet.id, 1);
  body.writeUInt16BE(packet.counter, 5);
  body.writeInt8(packet.rssiDbm, 7);
  body.writeUInt8(packet.batteryPercent, 8);
  body.writeUInt8(packet.rateHz, 9);
  body.writeUInt8(count, 10);
  for (const [i, axes] of packet.samples.entries()) {
    for (const [axis, mg] of axes.entries()) body.writeInt16BE(mg, 11 + 6 * i + 2 * axis);
  }
  body.writeUInt16BE(crc(body.subarray(0, -2)), body.length - 2);
  return slip(body);
}

/** CRC-16/CCITT-FALSE, bit by bit as it is defined. */
function crc(bytes: Uint8Array): number {
  let value = 0xffff;
  for (const byte of bytes) {
    value ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) value = value & 0x8000 ? ((value << 1) ^ 0x1021) & 0xffff : value << 1;
  }
  return value;
}

function slip(body: Uint8Array): Uint8Array {
  const wire: number[] = [0xc0];
  for (const byte of body) {
    if (byte === 0xc0) wire.push(0xdb, 0xdc);
    else if (byte === 0xdb) wire.push(0xdb, 0xdd);
    else wire.push(byte);
  }
  wire.push(0xc0);
  return Uint8Array.from(wire);
}

/** A line for each sample in order of time, the battery once a packet; then the sightings. */
function encodeJson(slice: Slice): Uint8Array[] {
  const lines: Uint8Array[] = [];
  const longest = Math.max(0, ...slice.packets.map((packet) => packet.samples.length));
  for (let i = 0; i < longest; i++) {
    for (const packet of slice.packets) {
      const line = sampleLine(packet, i);
      if (line !== null) lines.push(line);
    }
  }
  for (const { collar, tMs, place, rssiDbm } of slice.sightings) {
    lines.push(jsonLine({ collar, t: tMs, place, rssi: rssiDbm }));
  }
  return lines;
}

function sampleLine(packet: Packet, i: number): Uint8Array | null {
  const sample = packet.samples[i];
  if (sample === undefined) return null;
  const n = (packet.counter * packet.samples.length + i) % 65_536;
  const [ax, ay, az] = [sample[0] / 1000, sample[1] / 1000, sample[2] / 1000];
  const battery = i === 0 ? { battery: packet.batteryPercent } : {};
  return jsonLine({ collar: packet.collar, t: sampleMs(packet, i), n, ax, ay, az, ...battery });
}

/** For a simulation of one collar: rows hold no id. */
function encodeCsv(slice: Slice): Uint8Array[] {
  return slice.packets.flatMap((packet) =>
    packet.samples.map((axes, i) =>
      Buffer.from(`${[sampleMs(packet, i), ...axes.map((mg) => mg / 1000)].join(',')}\n`),
    ),
  );
}

function sampleMs(packet: Packet, i: number): number {
  return Math.round((packet.firstMs + (i * 1000) / packet.rateHz) * 1000) / 1000;
}

function jsonLine(fields: Readonly<Record<string, unknown>>): Uint8Array {
  return Buffer.from(`${JSON.stringify(fields)}\n`);
}
