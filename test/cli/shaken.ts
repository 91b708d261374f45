/** A collar that lies still and is then shaken ten times, as each kind of sensor tells of it. */
import type { Reading } from '../../src/agent/decoder/reading.ts';
import { accelerated } from '../agent/detector/motion.ts';

export const COLLAR = 'C0FFEE01';

export interface Shaken {
  /** The first begins here; it lies still before. */
  readonly fromMs: number;
  readonly forMs: number;
  readonly pauseMs: number;
  readonly times?: number;
}

export const QUICK: Shaken = { fromMs: 6_500, forMs: 1_000, pauseMs: 2_500 };
/** What the wizard asks of a collar that sends each two seconds. */
export const SLOW: Shaken = { fromMs: 11_000, forMs: 4_000, pauseMs: 8_000 };

/** In order. */
export function shakesIn({ fromMs, forMs, pauseMs, times = 10 }: Shaken): { fromMs: number; toMs: number }[] {
  return Array.from({ length: times }, (_, i) => {
    const begin = fromMs + i * (forMs + pauseMs);
    return { fromMs: begin, toMs: begin + forMs };
  });
}

export function endOf(shaken: Shaken): number {
  return (shakesIn(shaken).at(-1)?.toMs ?? 0) + shaken.pauseMs;
}

export function shakenAcceleration(shaken: Shaken, amplitudeG = 1.5, rateHz = 50): Reading[] {
  const motions = shakesIn(shaken).map(({ fromMs, toMs }) => ({ fromMs, forMs: toMs - fromMs, hz: 5, amplitudeG }));
  return accelerated(motions, endOf(shaken), rateHz, COLLAR, 1);
}

/** `tell`: what a reading says, and how much of the shake has passed; undefined: it is not shaken. */
export function shakenReadings(
  shaken: Shaken,
  everyMs: number,
  tell: (passedMs: number | undefined, i: number) => Partial<Reading>,
): Reading[] {
  const shakes = shakesIn(shaken);
  return Array.from({ length: Math.ceil(endOf(shaken) / everyMs) }, (_, i) => {
    const atMs = i * everyMs;
    const shake = shakes.find(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs);
    return { collar: COLLAR, atMs, ...tell(shake === undefined ? undefined : atMs - shake.fromMs, i) };
  });
}
