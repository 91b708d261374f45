/**
 * The binary format for many collars on one link: SLIP around version `01` · collar u32 · counter u16 · rssi i8 (127
 * unknown) · battery u8 (255 unknown) · rate Hz u8 · k u8 · k × (x, y, z) i16 mg · CRC-16/CCITT-FALSE, big-endian.
 * Each sample is a reading; rssi and battery are said once, on the last reading of the frame. A frame of no samples is one
 * reading without acceleration. The CRC decides what is a frame: bytes that fail it and do not begin
 * with the version are noise.
 */
import { createBoundedMap, MAX_COLLARS } from './bounded-map.ts';
import { crc16 } from './crc16.ts';
import type { Decoded, Decoder, Discard, DiscardReason, Reading } from './reading.ts';
import { byteSample } from './sample.ts';
import { advanceClock, type FrameTime, type SampleClock, startClock } from './sample-clock.ts';
import { createSlip } from './slip.ts';

const VERSION = 1;
const HEADER_BYTES = 11;
const SAMPLE_BYTES = 6;
const CRC_BYTES = 2;
/** The longest frame, unescaped: 255 samples. */
export const MAX_FRAME_BYTES = HEADER_BYTES + 255 * SAMPLE_BYTES + CRC_BYTES;

const RSSI_UNKNOWN = 127;
const BATTERY_UNKNOWN = 255;

interface FrameOptions {
  readonly place?: string | undefined;
}

interface KnownCollar {
  readonly name: string;
  readonly clock: SampleClock;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function createFrameDecoder(options: FrameOptions): Decoder {
  const collars = createBoundedMap<number, KnownCollar>(MAX_COLLARS);
  let readings: Reading[] = [];
  let discards: Discard[] = [];
  let arrivalMs: number | null = null;
  let latestMs = 0;
  let lostSamples = 0;
  /** Of the frame at hand. One for all: it would be five numbers on the heap for each. */
  const time: Mutable<FrameTime> = { counter: 0, samples: 0, stepMs: 0, atMs: null, latestMs: 0 };

  /** Places the frame in its collar's time. Null: the same frame again. */
  const clockFor = (frame: Uint8Array): KnownCollar | null => {
    const id = u32(frame, 1);
    readTime(frame, time);
    time.atMs = arrivalMs;
    time.latestMs = latestMs;
    let known = collars.get(id);
    if (known === undefined) {
      known = { name: id.toString(16).toUpperCase().padStart(8, '0'), clock: startClock(time) };
      collars.set(id, known);
    } else {
      const tick = advanceClock(known.clock, time);
      if (tick.type === 'duplicate') return null;
      lostSamples += tick.lostSamples;
    }
    latestMs = Math.max(latestMs, known.clock.endMs);
    return known;
  };

  const read = (frame: Uint8Array): DiscardReason | null => {
    const fault = faultOf(frame);
    if (fault !== null) return fault;
    const known = clockFor(frame);
    if (known === null) return 'duplicate';
    addReadings(readings, frame, known, options.place);
    return null;
  };

  const slip = createSlip(MAX_FRAME_BYTES, {
    frame(payload, bytes) {
      const reason = read(payload);
      if (reason !== null) discards.push({ reason, bytes, sample: byteSample(payload) });
    },
    discard(reason, bytes, head) {
      discards.push({ reason, bytes, sample: byteSample(head) });
    },
  });
  const decoded = (): Decoded => {
    const result = { readings, discards };
    readings = [];
    discards = [];
    return result;
  };
  return {
    push(bytes, atMs) {
      arrivalMs = atMs;
      slip.push(bytes);
      return decoded();
    },
    end() {
      slip.end();
      return decoded();
    },
    get lostSamples() {
      return lostSamples;
    },
  };
}

function faultOf(frame: Uint8Array): DiscardReason | null {
  const length = frame.length;
  const ours = frame[0] === VERSION;
  if (length < HEADER_BYTES + CRC_BYTES) return ours ? 'too-short' : 'noise';
  if (crc16(frame, length - CRC_BYTES) !== u16(frame, length - CRC_BYTES)) return ours ? 'bad-crc' : 'noise';
  if (!ours) return 'bad-version';
  const samples = frame[10] as number;
  if (length !== HEADER_BYTES + samples * SAMPLE_BYTES + CRC_BYTES) return 'bad-length';
  const battery = frame[8] as number;
  if (samples > 0 && frame[9] === 0) return 'bad-value';
  return battery > 100 && battery !== BATTERY_UNKNOWN ? 'bad-value' : null;
}

function readTime(frame: Uint8Array, time: Mutable<FrameTime>): void {
  const rateHz = frame[9] as number;
  time.counter = u16(frame, 5);
  time.samples = frame[10] as number;
  time.stepMs = rateHz === 0 ? 0 : 1000 / rateHz;
}

/** The readings of a sound frame whose clock has been moved to it. */
function addReadings(readings: Reading[], frame: Uint8Array, known: KnownCollar, place: string | undefined): void {
  const { endMs, stepMs, counter } = known.clock;
  const samples = frame[10] as number;
  let last: Mutable<Reading> = { collar: known.name, atMs: endMs, counter };
  for (let i = 0, at = HEADER_BYTES; i < samples; i++, at += SAMPLE_BYTES) {
    last = {
      collar: known.name,
      atMs: endMs - (samples - 1 - i) * stepMs,
      counter,
      axG: i16(frame, at) / 1000,
      ayG: i16(frame, at + 2) / 1000,
      azG: i16(frame, at + 4) / 1000,
    };
    if (place !== undefined) last.place = place;
    readings.push(last);
  }
  if (samples === 0) {
    if (place !== undefined) last.place = place;
    readings.push(last);
  }
  const rssi = ((frame[7] as number) << 24) >> 24;
  const battery = frame[8] as number;
  if (rssi !== RSSI_UNKNOWN) last.rssiDbm = rssi;
  if (battery !== BATTERY_UNKNOWN) last.batteryPercent = battery;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

function i16(bytes: Uint8Array, at: number): number {
  return (u16(bytes, at) << 16) >> 16;
}

function u32(bytes: Uint8Array, at: number): number {
  return ((u16(bytes, at) << 16) | u16(bytes, at + 2)) >>> 0;
}
