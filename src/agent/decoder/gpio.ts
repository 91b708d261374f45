/**
 * Edges of GPIO lines, one a line of text: `1 4 12.000000005`, rising (1) or falling (0, 2), the line, and the kernel's monotonic
 * time in seconds; also with a space instead of the point, as older programs print it. A motion sensor's level is motion; its
 * next pulse within a moment is the same movement. A vibration switch rests open or closed: each edge counts, never the level.
 */
import { createBoundedMap } from './bounded-map.ts';
import { createLineDecoder } from './line-decoder.ts';
import { type Decoder, type DiscardReason, NO_COLLAR, type Reading } from './reading.ts';

/** A part of a line's configuration. */
export interface GpioLineOptions {
  readonly line: number;
  readonly kind: 'motion' | 'shake';
  readonly place?: string | undefined;
  readonly collar?: string | undefined;
  /** Edges that follow closer are one: also where the kernel does not see to it. */
  readonly debounceMs: number;
  /** motion: a pulse that begins so soon after the end of the last one goes on with it. */
  readonly mergeMs: number;
}

const EDGE = /^([012]) (\d{1,10}) (\d{1,12})([. ])(\d{1,9})$/;
/** A stamp farther from its arrival is of another clock: arrival counts. */
const MAX_APART_MS = 60_000;

interface Line {
  readonly options: GpioLineOptions;
  /** When its last edge was, and its last pulse ended. NaN: never. */
  edgeMs: number;
  endMs: number;
  isMerged: boolean;
}

export function createGpioDecoder(lines: readonly GpioLineOptions[]): Decoder {
  const byNumber = createBoundedMap<number, Line>(Math.max(1, lines.length));
  for (const options of lines) {
    byNumber.set(options.line, { options, edgeMs: Number.NaN, endMs: Number.NaN, isMerged: false });
  }
  let lastMotion: Line | null = null;

  /** Whether this edge only goes on with the movement before. */
  const isMerged = (line: Line, rising: boolean, atMs: number): boolean => {
    if (rising) line.isMerged = lastMotion === line && atMs - line.endMs < line.options.mergeMs;
    else line.endMs = atMs;
    if (rising) lastMotion = line;
    return line.isMerged;
  };
  const readLine = (text: string, arrivalMs: number | null, readings: Reading[]): DiscardReason | null => {
    const [, edge, number, seconds, separator, rest = ''] = EDGE.exec(text) ?? [];
    if (edge === undefined || (separator === '.' && rest.length !== 9)) return 'bad-format';
    const line = byNumber.get(Number(number));
    if (line === undefined) return 'no-sensor';
    const stampMs = Number(seconds) * 1000 + Number(rest) / 1e6;
    const atMs = arrivalMs !== null && Math.abs(stampMs - arrivalMs) > MAX_APART_MS ? arrivalMs : stampMs;
    const { kind, place, collar = NO_COLLAR, debounceMs } = line.options;
    const at = place === undefined ? {} : { place };
    const rising = edge === '1';
    if (kind === 'motion') {
      if (isMerged(line, rising, atMs)) return 'duplicate';
      readings.push({ collar, atMs, motion: rising, ...at, sensor: `gpio${line.options.line}` });
      return null;
    }
    const isBounce = atMs - line.edgeMs < debounceMs;
    line.edgeMs = atMs;
    if (isBounce) return 'duplicate';
    readings.push({ collar, atMs, edges: 1, ...at });
    return null;
  };
  return createLineDecoder(readLine, () => 0);
}
