/**
 * Bytes off the wire, through a decoder of each configuration: the same readings wherever they are cut, every byte in a
 * reading or a discard, numbers that are numbers, text that is printable.
 * The first byte of an input chooses the configuration, the second how it is cut (even: after each line or frame).
 */
import { createDecoder, type DecoderOptions } from '../../../src/agent/decoder/decoder.ts';
import type { Decoded, Decoder, Discard, Reading } from '../../../src/agent/decoder/reading.ts';
import { type FuzzTarget, hold } from '../target.ts';

export interface WireFormat {
  readonly variants: readonly DecoderOptions[];
  readonly seeds: readonly Uint8Array[];
  readonly words: readonly string[];
  readonly maxBytes: number;
  /** The byte that ends a line or frame. */
  readonly terminator: number;
  /** Bytes in a piece that ends with the terminator and need no account: separators. */
  readonly isSeparator: (piece: Uint8Array) => boolean;
  readonly prepare?: (wire: Uint8Array, choice: number) => Uint8Array;
}

interface Heard {
  readonly readings: Reading[];
  readonly discards: Discard[];
}

export function decoderTarget(format: WireFormat): FuzzTarget {
  const { variants, seeds, words, maxBytes } = format;
  const seedInputs = seeds.flatMap((seed) => variants.map((_, i) => Buffer.concat([Uint8Array.of(i, i), seed])));
  return {
    seeds: seedInputs,
    words,
    maxBytes,
    usualBytes: 200,
    run(input) {
      const choice = input[0] ?? 0;
      const variant = variants[choice % variants.length];
      if (variant === undefined) return;
      const wire = format.prepare?.(input.subarray(2), choice) ?? input.subarray(2);
      // Live, all bytes arrive at one moment here: where they are cut must not matter.
      const atMs = choice & 0x80 ? 5_000 : null;
      const whole = decode(createDecoder(variant), atMs, [wire]);
      const how = input[1] ?? 0;
      const cut =
        how & 1
          ? decode(createDecoder(variant), atMs, pieces(wire, how))
          : account(createDecoder(variant), wire, atMs, format);
      hold(
        sameItems(whole.readings, cut.readings) && sameItems(whole.discards, cut.discards),
        () => `cut, the bytes give ${JSON.stringify(cut)} and not ${JSON.stringify(whole)}`,
      );
      for (const reading of whole.readings) checkReading(reading);
      for (const discard of whole.discards) checkDiscard(discard);
    },
  };
}

function decode(decoder: Decoder, atMs: number | null, wire: Iterable<Uint8Array>, ends = true): Heard {
  const heard: Heard = { readings: [], discards: [] };
  const add = ({ readings, discards }: Decoded) => {
    for (const reading of readings) heard.readings.push(reading);
    for (const discard of discards) heard.discards.push(discard);
  };
  for (const piece of wire) add(decoder.push(piece, atMs));
  if (ends) add(decoder.end());
  const { lostSamples } = decoder;
  hold(Number.isSafeInteger(lostSamples) && lostSamples >= 0, () => `${lostSamples} samples are lost`);
  return heard;
}

/** Pieces of changing length, the empty one too; short ones for 0. */
function* pieces(wire: Uint8Array, how: number): Iterable<Uint8Array> {
  let state = how;
  for (let at = 0; at < wire.length; ) {
    state = (state * 5 + 3) & 0xff;
    const length = how < 16 ? how & 7 || 1 : state >> (state & 3);
    yield wire.subarray(at, at + length);
    at += length;
  }
}

function splitAfter(wire: Uint8Array, terminator: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let from = 0;
  for (let at = wire.indexOf(terminator); at >= 0; at = wire.indexOf(terminator, from)) {
    parts.push(wire.subarray(from, at + 1));
    from = at + 1;
  }
  if (from < wire.length) parts.push(wire.subarray(from));
  return parts;
}

/** Each line or frame is read, or discarded with all its bytes, once it has ended. */
function account(decoder: Decoder, wire: Uint8Array, atMs: number | null, format: WireFormat): Heard {
  const heard: Heard = { readings: [], discards: [] };
  for (const part of splitAfter(wire, format.terminator)) {
    const told = decode(decoder, atMs, [part], part.at(-1) !== format.terminator);
    const [read, discarded] = [told.readings.length, told.discards.length];
    const bytes = told.discards.reduce((sum, discard) => sum + discard.bytes, 0);
    const due = format.isSeparator(part) ? 0 : part.length;
    if (read > 0) hold(discarded === 0 && due > 0, () => `${part.length} bytes are read and discarded`);
    else hold(bytes === due && discarded <= 1, () => `${part.length} bytes, ${bytes} discarded in ${discarded}`);
    heard.readings.push(...told.readings);
    heard.discards.push(...told.discards);
  }
  return heard;
}

/** By their own fields, all of which are numbers, texts and truths. */
function sameItems<T extends object>(some: readonly T[], others: readonly T[]): boolean {
  return some.length === others.length && some.every((one, i) => isSame(one, others[i] as T));
}

function isSame<T extends object>(one: T, other: T): boolean {
  let fields = 0;
  for (const key in one) {
    if (!Object.is(one[key], other[key])) return false;
    fields += 1;
  }
  return fields === Object.keys(other).length;
}

function checkReading(reading: Reading): void {
  const { collar, atMs, place, sensor, axG, ayG, azG } = reading;
  hold(isName(collar), () => `collar ${JSON.stringify(collar)}`);
  hold(place === undefined || isName(place), () => `place ${JSON.stringify(place)}`);
  hold(sensor === undefined || isName(sensor), () => `sensor ${JSON.stringify(sensor)}`);
  hold(Math.abs(atMs) <= 8.64e15 + 1e9, () => `time ${atMs}`);
  for (const value of Object.values(reading)) {
    hold(typeof value !== 'number' || Number.isFinite(value), () => `a value is ${value}`);
  }
  hold(
    [axG, ayG, azG].every((g) => (g === undefined) === (axG === undefined)),
    () => 'not all three axes',
  );
  hold(Math.abs(axG ?? 0) <= 200, () => `${axG} g`);
}

function isName(text: string): boolean {
  return text.length > 0 && text.length <= 64 && !/\p{Cc}|\p{Cs}/u.test(text);
}

function checkDiscard({ reason, bytes, sample }: Discard): void {
  hold(Number.isSafeInteger(bytes) && bytes > 0, () => `${bytes} bytes are discarded as ${reason}`);
  hold(sample.length <= 40 && /^[ -~]*$/.test(sample), () => `sample ${JSON.stringify(sample)}`);
}
