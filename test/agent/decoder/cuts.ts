/** Feeds a decoder the same bytes in other pieces, and adds up what comes out. */
import type { Decoded, Decoder, Discard, Reading } from '../../../src/agent/decoder/reading.ts';

export interface Total {
  readings: Reading[];
  discards: Discard[];
  lostSamples: number;
}

/** Bytes as a recording: no arrival time, cut before each of the offsets. */
export function decodeAll(
  decoder: Decoder,
  bytes: Uint8Array,
  cuts: readonly number[] = [],
  atMs: number | null = null,
) {
  const offsets = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const total: Total = { readings: [], discards: [], lostSamples: 0 };
  let from = 0;
  for (const to of [...offsets, bytes.length]) {
    add(total, decoder.push(bytes.subarray(from, to), atMs));
    from = to;
  }
  add(total, decoder.end());
  total.lostSamples = decoder.lostSamples;
  return total;
}

/** Pushes line by line. Each is either read or discarded with all its bytes; throws for one that is not. */
export function expectEachLineTold(decoder: Decoder, lines: readonly string[]): void {
  for (const line of lines) {
    const bytes = text(`${line}\n`);
    const { readings, discards } = decoder.push(bytes, null);
    const whole = readings.length === 0 ? discards.length === 1 && discards[0]?.bytes === bytes.length : true;
    if (!whole || (readings.length > 0 && discards.length > 0)) throw new Error(`not told: ${JSON.stringify(line)}`);
  }
}

export function reasons(total: Pick<Total, 'discards'>): string[] {
  return total.discards.map((discard) => discard.reason);
}

export function discardedBytes(total: Pick<Total, 'discards'>): number {
  return total.discards.reduce((sum, discard) => sum + discard.bytes, 0);
}

export function text(lines: string): Uint8Array {
  return Buffer.from(lines, 'utf8');
}

function add(total: Total, decoded: Decoded): void {
  total.readings.push(...decoded.readings);
  total.discards.push(...decoded.discards);
}
