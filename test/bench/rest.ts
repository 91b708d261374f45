/** What 20 collars that lie still write, over and over. */
import { encodeFrame } from '../../src/simulator/encode.ts';
import { COLLARS, collarName } from './input.ts';

/** A collar of 50 Hz speaks five times a second. */
export const SAMPLES_A_FRAME = 10;
const HZ = 50;
const ROUNDS = 500;

export function jsonOfRest(): Uint8Array {
  const lines = pieces(({ round, no }) => {
    const ax = (0.01 + (round % 10) / 1_000).toFixed(3);
    return `{"collar":"${collarName(no)}","n":${round},"ax":${ax},"ay":-0.02,"az":0.99,"rssi":-61,"battery":80}\n`;
  });
  return Buffer.from(lines.join(''));
}

export function framesOfRest(): Uint8Array {
  return Buffer.concat(
    pieces(({ round, no }) =>
      encodeFrame({
        collar: collarName(no),
        id: 0xc0ffee00 + no,
        counter: (round * SAMPLES_A_FRAME) % 65_536,
        firstMs: 0,
        rateHz: HZ,
        samples: Array.from({ length: SAMPLES_A_FRAME }, (_, i): [number, number, number] => [10 + (i % 3), -20, 990]),
        rssiDbm: -61,
        batteryPercent: 80,
      }),
    ),
  );
}

/** Each collar in each round; collars count from 1. */
function pieces<T>(make: (of: { readonly round: number; readonly no: number }) => T): T[] {
  return Array.from({ length: ROUNDS * COLLARS }, (_, n) =>
    make({ round: Math.floor(n / COLLARS), no: 1 + (n % COLLARS) }),
  );
}
