/** What a decoder yields: one sample of one sensor, never an event. */

export interface Reading {
  /** The collar's id; for a sensor that belongs to no collar, the id that the source's configuration gives it. */
  readonly collar: string;
  /** Monotonic milliseconds of the sample (in a recording: the file's own clock). */
  readonly atMs: number;
  /** Wrapping counter of the sender, for loss, duplicates and copies; all readings of one frame have that of the frame. */
  readonly counter?: number;
  /** Acceleration in g, all three or none. */
  readonly axG?: number;
  readonly ayG?: number;
  readonly azG?: number;
  /** Shake level of the collar's own detector: 0 at rest, 1 a shake. */
  readonly shake?: number;
  /** Movements that the sensor counted since its reading before, each of them an edge of a vibration switch or its like. */
  readonly edges?: number;
  /** The sensor's own count of movements, wrapping at MOVE_COUNTS. Where receivers meet it becomes `edges`. */
  readonly moveCount?: number;
  /** Movement seen (PIR, or the collar's own motion flag). */
  readonly motion?: boolean;
  /** Where the receiver or sensor that heard this stands. */
  readonly place?: string;
  /** Which of several receivers or sensors, where a place has more than one. */
  readonly sensor?: string;
  readonly rssiDbm?: number;
  /** Where the collar truly was, as somebody wrote down while calibrating. Only where a decoder is asked for it. */
  readonly truth?: string;
  readonly batteryPercent?: number;
}

/** The collar of a motion sensor, which belongs to none, where the configuration names none. */
export const NO_COLLAR = 'unknown';

/** A movement counter has one byte, of which 255 means "unknown" (RuuviTag). */
export const MOVE_COUNTS = 255;

/** Why bytes were discarded. A closed list, so that counters stay bounded. */
export type DiscardReason =
  | 'too-long' // no end of line or frame within the limit
  | 'noise' // bytes outside any frame
  | 'bad-escape' // SLIP: ESC followed by neither ESC_END nor ESC_ESC
  | 'too-short'
  | 'bad-crc'
  | 'bad-version'
  | 'bad-length' // k does not fit the frame
  | 'not-json'
  | 'bad-format' // no line of this format
  | 'bad-value' // a field of another type or out of range
  | 'no-collar'
  | 'no-columns' // csv: a row before or unlike its header
  | 'comment' // csv: comment or header line, counted but harmless
  | 'no-reading' // sound, but says nothing of a collar: counted, harmless
  | 'no-sensor' // mysensors: of a child that has not said what it is
  | 'no-key' // bthome: encrypted, and no bind key for this sender
  | 'bad-key' // bthome: the bind key does not open it, or it is damaged
  | 'duplicate'; // the same counter again

export interface Discard {
  readonly reason: DiscardReason;
  readonly bytes: number;
  /** Up to 40 characters of it, printable, for the log. */
  readonly sample: string;
}

/** mysensors: what a node wants to know of its controller; and 'presentation', what we want to know of a node. */
export interface NodeRequest {
  readonly type: 'id' | 'time' | 'config' | 'presentation';
  readonly node: number;
  readonly child: number;
  /** id: the nodes that have been heard. */
  readonly heard?: readonly number[];
}

export interface Decoded {
  readonly readings: readonly Reading[];
  readonly discards: readonly Discard[];
  /** Absent where there are none. */
  readonly requests?: readonly NodeRequest[];
}

/**
 * Bytes in, readings out. Pure: the same bytes with the same times, cut anywhere, give the same readings.
 * Bounded: holds at most its named limit of bytes.
 */
export interface Decoder {
  /** `atMs`: monotonic arrival of these bytes; null in a recording, where time is taken from the bytes themselves. */
  push(bytes: Uint8Array, atMs: number | null): Decoded;
  /** The input has ended: what is left in the buffer is decoded or discarded. */
  end(): Decoded;
  /** Counted since the start: samples that the counters say were lost on the air. */
  readonly lostSamples: number;
}
