/** Recordings with known shakes, and what may happen to them on their way: for training and for scores. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { roundInput } from '../../src/agent/kept/block.ts';
import { createRandom } from '../../src/simulator/random.ts';

export type Row = readonly [atMs: number, xG: number, yG: number, zG: number];

export interface Recording {
  readonly id: string;
  readonly set: string;
  /** Persons, animals and days that are left out together. */
  readonly fold: number;
  readonly seconds: number;
  /** From and to, in seconds. */
  readonly shakes: readonly (readonly [number, number])[];
  readonly rows: readonly Row[];
}

export const FOLDS = 5;

/** `folder` holds `index.json`: `[{id, set, file, dur_s, events: [[from s, to s], …]}]`, and files with `t_ms,ax_g,ay_g,az_g`. */
export function readRecordings(folder: string): Recording[] {
  const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as {
    id: string;
    set: string;
    file: string;
    dur_s: number;
    events: [number, number][];
  }[];
  return index.map(({ id, set, file, dur_s: seconds, events: shakes }, i) => {
    const lines = readFileSync(join(folder, file), 'utf8').trim().split('\n').slice(1);
    const rows = lines.map((line) => line.split(',').map(Number) as unknown as Row);
    return { id, set, fold: foldOf(set, id, i), seconds, shakes, rows };
  });
}

/** A person, an animal's recording, a day: never on both sides. */
function foldOf(set: string, id: string, i: number): number {
  const person = /_s(\d)$/.exec(id)?.[1];
  if (set === 'wii') return (person === undefined ? i : Number(person)) % FOLDS;
  if (set === 'hmp')
    return [...(/\d{4}-\d\d-\d\d/.exec(id)?.[0] ?? '')].reduce((a, c) => a + c.charCodeAt(0), 0) % FOLDS;
  return Number(/(\d+)$/.exec(id)?.[1] ?? 0) % FOLDS;
}

/** Of the last: to a microsecond and a thousandth of g, as readings are that are kept. */
export type Mishap =
  | 'none'
  | '25 Hz'
  | '12.5 Hz'
  | '30 % lost'
  | 'bursts of 25 lost'
  | 'clipped at 2 g'
  | 'rounded as kept';

export function mishap(rows: readonly Row[], how: Mishap, seed: number): readonly Row[] {
  const random = createRandom(seed, 1);
  switch (how) {
    case 'none':
      return rows;
    case '25 Hz':
      return slower(rows, 25);
    case '12.5 Hz':
      return slower(rows, 12.5);
    case '30 % lost':
      return rows.filter(() => random.next() > 0.3);
    case 'bursts of 25 lost': {
      let skip = 0;
      return rows.filter(() => {
        if (skip === 0 && random.next() < 0.004) skip = 25;
        skip = Math.max(0, skip - 1);
        return skip === 0;
      });
    }
    case 'clipped at 2 g': {
      const clip = (g: number) => Math.min(2, Math.max(-2, g));
      return rows.map(([t, x, y, z]) => [t, clip(x), clip(y), clip(z)] as const);
    }
    case 'rounded as kept':
      return rows.map(rounded);
  }
}

function rounded([atMs, axG, ayG, azG]: Row): Row {
  const kept = roundInput({ type: 'reading', reading: { collar: 'A', atMs, axG, ayG, azG } });
  if (kept.type !== 'reading') throw new Error('a reading stays one');
  const { reading } = kept;
  return [reading.atMs, reading.axG ?? 0, reading.ayG ?? 0, reading.azG ?? 0];
}

function slower(rows: readonly Row[], hz: number): readonly Row[] {
  let nextMs = Number.NEGATIVE_INFINITY;
  return rows.filter(([t]) => {
    if (t < nextMs - 0.5) return false;
    nextMs = t + 1_000 / hz;
    return true;
  });
}
