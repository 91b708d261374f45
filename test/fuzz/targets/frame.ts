/** Binary frames. In half of the inputs each frame's checksum is made right, or nothing but the checksum would be tried. */
import { crc16 } from '../../../src/agent/decoder/crc16.ts';
import { encodeFrame } from '../../../src/simulator/encode.ts';
import type { FuzzTarget } from '../target.ts';
import { decoderTarget } from './decoder.ts';

const [END, ESC] = [0xc0, 0xdb];
const SOUND = 0x40;

export function open(): FuzzTarget {
  return decoderTarget({
    variants: [
      { format: 'frame' },
      { format: 'frame', place: 'hall' },
      ...[SOUND, SOUND + 1].map(() => ({ format: 'frame' }) as const),
    ],
    seeds: [
      frames([1, 2]),
      frames([7, 7, 9, 4_000]),
      frames(
        [65_535, 0],
        [
          [0, 0, 1_000],
          [-32_768, 32_767, 0xdb],
        ],
      ),
      Buffer.concat([
        Buffer.from('booted\r\n'),
        frames([3]),
        Uint8Array.of(ESC, 1, END, ESC, ESC + 1, ESC, ESC + 2, END),
      ]),
    ],
    words: ['\u0001'],
    maxBytes: 4_000,
    terminator: END,
    isSeparator: (piece) => piece.length === 1 && piece[0] === END,
    prepare: (wire, choice) => (choice & SOUND ? sound(wire) : wire),
  });
}

function frames(counters: readonly number[], samples: readonly (readonly [number, number, number])[] = []): Buffer {
  const packet = { collar: '', id: 0xc0ffee01, firstMs: 0, rateHz: 50, samples, rssiDbm: -61, batteryPercent: 83 };
  return Buffer.concat(counters.map((counter) => encodeFrame({ ...packet, counter })));
}

/** Each piece between ENDs as a frame with its right checksum. */
function sound(wire: Uint8Array): Uint8Array {
  const result: number[] = [];
  for (let from = 0; from < wire.length; ) {
    const end = wire.indexOf(END, from);
    const to = end < 0 ? wire.length : end;
    const body = unescaped(wire.subarray(from, to));
    if (body.length > 2) {
      const crc = crc16(body, body.length - 2);
      body.set([crc >> 8, crc & 0xff], body.length - 2);
    }
    for (const byte of body) {
      if (byte === END) result.push(ESC, ESC + 1);
      else if (byte === ESC) result.push(ESC, ESC + 2);
      else result.push(byte);
    }
    if (end >= 0) result.push(END);
    from = to + 1;
  }
  return Uint8Array.from(result);
}

function unescaped(bytes: Uint8Array): Uint8Array {
  const body: number[] = [];
  for (let i = 0; i < bytes.length; i++) {
    const [byte = 0, next] = [bytes[i], bytes[i + 1]];
    const isEscape = byte === ESC && (next === ESC + 1 || next === ESC + 2);
    body.push(isEscape ? (next === ESC + 1 ? END : ESC) : byte);
    if (isEscape) i++;
  }
  return Uint8Array.from(body);
}
