/** Acceleration of a collar that moves in known ways, for the tests of detectors. */
import type { Reading } from '../../../src/agent/decoder/reading.ts';

export interface Motion {
  readonly fromMs: number;
  readonly forMs: number;
  readonly hz: number;
  /** Half of the way from turn to turn, in g. */
  readonly amplitudeG: number;
  /** Across the main direction, a quarter of a turn later: 0 to and fro, 1 a circle. */
  readonly roundness?: number;
}

/** A collar at rest with gravity somewhere between the axes, moving as told. A row at each multiple of 1000 / rateHz. */
export function accelerated(
  motions: readonly Motion[],
  forMs: number,
  rateHz = 50,
  collar = 'C0FFEE01',
  restG = 1.1,
): Reading[] {
  const readings: Reading[] = [];
  for (let i = 0; (i * 1000) / rateHz <= forMs; i += 1) {
    const atMs = (i * 1000) / rateHz;
    let along = 0.01 * Math.sin(i * 12.9898);
    let across = 0.01 * Math.sin(i * 78.233);
    for (const { fromMs, forMs: lasting, hz, amplitudeG, roundness = 0 } of motions) {
      if (atMs < fromMs || atMs > fromMs + lasting) continue;
      const phase = (2 * Math.PI * hz * (atMs - fromMs)) / 1000;
      along += amplitudeG * Math.sin(phase);
      across += roundness * amplitudeG * Math.cos(phase);
    }
    const axG = 0.6 * along - 0.3 * restG;
    const ayG = 0.8 * along + 0.4 * restG;
    const azG = across + 0.866 * restG;
    readings.push({ collar, atMs, axG, ayG, azG });
  }
  return readings;
}
