/**
 * SLIP against the words of RFC 1055: what comes out, cut anywhere, and what is held meanwhile.
 * The first byte of an input gives the limit, the second how it is cut.
 */
import { createSlip } from '../../../src/agent/decoder/slip.ts';
import { type FuzzTarget, hold } from '../target.ts';

const [END, ESC, ESC_END, ESC_ESC] = [0xc0, 0xdb, 0xdc, 0xdd];

export function open(): FuzzTarget {
  return {
    seeds: [
      Uint8Array.of(8, 0, END, 1, ESC, ESC_END, ESC, ESC_ESC, 2, END),
      Uint8Array.of(3, 1, 1, 2, 3, 4, END, END, ESC, 1, 2, END, ESC, END, 5),
    ],
    words: [],
    maxBytes: 128,
    usualBytes: 48,
    run(input) {
      const limit = 1 + ((input[0] ?? 0) & 31);
      const wire = input.subarray(2);
      const expected = reference(wire, limit);
      const step = (input[1] ?? 0) & 15 || wire.length;
      const got = decode(wire, limit, step);
      hold(got === expected, () => `cut every ${step}: ${got}, not ${expected}`);
    },
  };
}

function decode(wire: Uint8Array, limit: number, step: number): string {
  const told: string[] = [];
  const slip = createSlip(limit, {
    frame: (payload, bytes) => told.push(`${bytes}:${asLatin1(payload)}`),
    discard: (reason, bytes) => told.push(`${bytes}:${reason}`),
  });
  for (let at = 0; at < wire.length; at += Math.max(step, 1)) {
    slip.push(wire.subarray(at, at + Math.max(step, 1)));
    hold(slip.heldBytes <= limit, () => `${slip.heldBytes} bytes are held`);
  }
  slip.end();
  return told.join(' ');
}

/** The same by the book, one frame after the other. */
function reference(wire: Uint8Array, limit: number): string {
  const told: string[] = [];
  for (let from = 0; from < wire.length; ) {
    const end = wire.indexOf(END, from);
    const to = end < 0 ? wire.length : end;
    if (to > from) told.push(`${to - from + (end < 0 ? 0 : 1)}:${read(wire, from, to, limit)}`);
    from = end < 0 ? wire.length : end + 1;
  }
  return told.join(' ');
}

function read(wire: Uint8Array, from: number, to: number, limit: number): string {
  const payload: number[] = [];
  for (let i = from; i < to; i++) {
    let byte = wire[i] ?? 0;
    if (byte === ESC) {
      i += 1;
      const next = i < to ? wire[i] : null;
      if (next !== ESC_END && next !== ESC_ESC) return 'bad-escape';
      byte = next === ESC_END ? END : ESC;
    }
    if (payload.length === limit) return 'too-long';
    payload.push(byte);
  }
  return asLatin1(payload);
}

/** A character for each byte. */
function asLatin1(bytes: Iterable<number>): string {
  return String.fromCharCode(...bytes);
}
