/**
 * The same readings for all contenders: 20 collars whose batteries go down and are charged again. A battery that is at 15 % or less after it
 * was at 25 or more is an event: two of five readings, decided by the readings alone, so that everybody must find the same ones at any
 * pace. What a shake asks of a detector is another figure (`npm run bench:shake`).
 */
import { encodeFrame } from '../../src/simulator/encode.ts';

export const COLLARS = 20;
const LEVELS = [5, 95, 5, 95, 50] as const;

export interface InputReading {
  readonly collar: number;
  /** Of this collar, wraps as a counter on the air does. */
  readonly counter: number;
  readonly batteryPercent: number;
}

export function readingAt(n: number): InputReading {
  const round = Math.floor(n / COLLARS);
  return {
    collar: 1 + (n % COLLARS),
    counter: round % 65_536,
    batteryPercent: LEVELS[round % LEVELS.length] ?? 50,
  };
}

export function isEvent(n: number): boolean {
  return readingAt(n).batteryPercent === 5;
}

export function collarName(no: number): string {
  return `C0FFEE${no.toString(16).toUpperCase().padStart(2, '0')}`;
}

export function asJson(n: number): string {
  const { collar, counter, batteryPercent } = readingAt(n);
  return `{"collar":"${collarName(collar)}","n":${counter},"ax":0.01,"ay":-0.02,"az":0.99,"rssi":-61,"battery":${batteryPercent}}\n`;
}

export function asFrame(n: number): Uint8Array {
  const { collar, counter, batteryPercent } = readingAt(n);
  const id = 0xc0ffee00 + collar;
  const name = collarName(collar);
  return encodeFrame({
    collar: name,
    id,
    counter,
    firstMs: 0,
    rateHz: 1,
    samples: [[10, -20, 990]],
    rssiDbm: -61,
    batteryPercent,
  });
}

/** Of readings `from` to `to` (not included), as they come over the wire. */
export function wire(format: 'json' | 'frame', from: number, to: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let n = from; n < to; n += 1) parts.push(format === 'json' ? Buffer.from(asJson(n)) : asFrame(n));
  return Buffer.concat(parts);
}

export function eventsIn(from: number, to: number): number {
  let count = 0;
  for (let n = from; n < to; n += 1) if (isEvent(n)) count += 1;
  return count;
}
