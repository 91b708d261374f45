/** How detected shakes compare to true ones: overlap after widening the truth by 0.25 s before and 0.5 s after, one to one. */
import type { Detection } from '../../src/agent/detector/detection.ts';
import { createShake, shakeEnd, shakeReading } from '../../src/agent/detector/shake.ts';
import type { ShakeSettings } from '../../src/agent/detector/shake-settings.ts';
import type { Recording, Row } from './recordings.ts';

export interface Tally {
  hits: number;
  falses: number;
  missed: number;
  /** Falses on a shake that was hit already. */
  twice: number;
  /** Hits decided before the true beginning. */
  early: number;
  seconds: number;
  readonly latencyS: number[];
  readonly wrong: string[];
}

export function emptyTally(): Tally {
  return { hits: 0, falses: 0, missed: 0, twice: 0, early: 0, seconds: 0, latencyS: [], wrong: [] };
}

export function detectShakes(rows: readonly Row[], settings: ShakeSettings): Detection[] {
  const state = createShake('C0FFEE01');
  const out: Detection[] = [];
  for (const [atMs, axG, ayG, azG] of rows) {
    shakeReading(state, { collar: 'C0FFEE01', atMs, axG, ayG, azG }, settings, null, out);
  }
  shakeEnd(state, rows.at(-1)?.[0] ?? 0, null, out);
  return out;
}

export function tallyShakes(tally: Tally, { id, shakes, seconds }: Recording, found: readonly Detection[]): void {
  const hit = shakes.map(() => false);
  const before = tally.falses;
  const told = found.flatMap((d) => (d.type === 'meow.started' ? [d.atMs / 1_000] : []));
  const bursts = found.flatMap((d) => (d.type === 'meow.ended' ? [[d.startMs / 1_000, d.endMs / 1_000] as const] : []));
  for (const [i, [from, to]] of bursts.entries()) {
    const near = [...shakes.keys()].filter((k) => {
      const [a, b] = shakes[k] ?? [0, 0];
      return from <= b + 0.5 && to >= a - 0.25;
    });
    const free = near.find((k) => hit[k] === false);
    if (free === undefined) {
      tally.falses += 1;
      tally.twice += near.length > 0 ? 1 : 0;
      continue;
    }
    hit[free] = true;
    tally.hits += 1;
    const latencyS = (told[i] ?? 0) - (shakes[free]?.[0] ?? 0);
    tally.latencyS.push(latencyS);
    tally.early += latencyS < 0 ? 1 : 0;
  }
  const missed = hit.filter((is) => !is).length;
  tally.missed += missed;
  tally.seconds += seconds;
  if (missed > 0) tally.wrong.push(`${id} -${missed}`);
  if (tally.falses > before) tally.wrong.push(`${id} +${tally.falses - before}`);
}

export function f1({ hits, falses, missed }: Tally): number {
  return (2 * hits) / Math.max(1, 2 * hits + falses + missed);
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
