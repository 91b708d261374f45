/** What people wire up instead, to stand beside the detectors in the table: none of it is part of the program. */
import type { Row } from '../train/recordings.ts';

/** When it was told, and from when to when it shook, in ms. */
export interface Burst {
  readonly toldMs: number;
  readonly fromMs: number;
  readonly toMs: number;
}

export type ShakeBaseline = (rows: readonly Row[]) => Burst[];

/** Acceleration without its slow part, in g: a mean that follows with a time of one second. */
function dynamicG(rows: readonly Row[]): number[] {
  let mean: readonly [number, number, number] | null = null;
  let beforeMs = 0;
  return rows.map(([atMs, x, y, z]) => {
    const share = mean === null ? 1 : Math.min(1, Math.max(0, (atMs - beforeMs) / 1_000));
    const [mx, my, mz] = mean ?? [x, y, z];
    mean = [mx + share * (x - mx), my + share * (y - my), mz + share * (z - mz)];
    beforeMs = atMs;
    return Math.hypot(x - mean[0], y - mean[1], z - mean[2]);
  });
}

/** Whatever is over 1 g, and then nothing for two seconds. */
export const threshold: ShakeBaseline = (rows) => {
  const bursts: Burst[] = [];
  let lockedMs = Number.NEGATIVE_INFINITY;
  for (const [i, g] of dynamicG(rows).entries()) {
    const atMs = rows[i]?.[0] ?? 0;
    if (g <= 1 || atMs < lockedMs) continue;
    lockedMs = atMs + 2_000;
    bursts.push({ toldMs: atMs, fromMs: atMs, toMs: atMs });
  }
  return bursts;
};

/** As telephones do it: three quarters of the samples of half a second are over 1.33 g. */
export const threeQuarters: ShakeBaseline = (rows) => {
  const bursts: Burst[] = [];
  let [from, over] = [0, 0];
  const isOver = rows.map(([, x, y, z]) => Math.hypot(x, y, z) > 1.33);
  for (const [i, [atMs]] of rows.entries()) {
    if (isOver[i] === true) over += 1;
    for (; atMs - (rows[from]?.[0] ?? atMs) > 500; from += 1) if (isOver[from] === true) over -= 1;
    const fromMs = rows[from]?.[0] ?? atMs;
    if (atMs - fromMs < 250 || over < 0.75 * (i - from + 1)) continue;
    const last = bursts.at(-1);
    if (last !== undefined && fromMs - last.toMs < 500) bursts[bursts.length - 1] = { ...last, toMs: atMs };
    else bursts.push({ toldMs: atMs, fromMs, toMs: atMs });
  }
  return bursts;
};

/** Dynamic acceleration over 0.8 g for 0.2 s, until it was below 0.4 g for 0.5 s. */
export const hysteresis: ShakeBaseline = (rows) => {
  const bursts: Burst[] = [];
  let onMs: number | null = null;
  let lastMs = 0;
  let toldMs: number | null = null;
  const end = () => {
    if (onMs !== null && toldMs !== null) bursts.push({ toldMs, fromMs: onMs, toMs: lastMs });
    [onMs, toldMs] = [null, null];
  };
  for (const [i, g] of dynamicG(rows).entries()) {
    const atMs = rows[i]?.[0] ?? 0;
    if (onMs !== null && atMs - lastMs > 500) end();
    if (onMs === null && g > 0.8) [onMs, lastMs] = [atMs, atMs];
    else if (onMs !== null && g > 0.4) lastMs = atMs;
    if (onMs !== null && toldMs === null && lastMs - onMs >= 200) toldMs = atMs;
  }
  end();
  return bursts;
};

export interface Heard {
  readonly atMs: number;
  readonly place: string;
  readonly dbm: number;
}

export interface Move {
  readonly atMs: number;
  readonly from: string | null;
  readonly to: string;
}

/** Whoever hears it loudest in a row has it. */
export function strongest(rows: readonly (readonly Heard[])[]): Move[] {
  const moves: Move[] = [];
  for (const row of rows) {
    const best = row.reduce<Heard | null>((a, b) => (a === null || b.dbm > a.dbm ? b : a), null);
    const from = moves.at(-1)?.to ?? null;
    if (best !== null && best.place !== from) moves.push({ atMs: best.atMs, from, to: best.place });
  }
  return moves;
}

/** Smoothed over a second, another place must be 4 dB louder for two seconds. */
export function marginAndDwell(rows: readonly (readonly Heard[])[]): Move[] {
  const moves: Move[] = [];
  const smooth = new Map<string, { dbm: number; atMs: number }>();
  let next = '';
  let sinceMs = 0;
  for (const row of rows) {
    for (const { place, dbm, atMs } of row) {
      const known = smooth.get(place);
      const passedMs = known === undefined ? 0 : atMs - known.atMs;
      const mixed = known === undefined ? dbm : known.dbm + (passedMs / (1_000 + passedMs)) * (dbm - known.dbm);
      smooth.set(place, { dbm: mixed, atMs });
    }
    const atMs = row.at(-1)?.atMs;
    if (atMs === undefined) continue;
    const live = [...smooth].filter(([, { atMs: heardMs }]) => atMs - heardMs < 15_000);
    const [place, best] = live.reduce((a, b) => (b[1].dbm > a[1].dbm ? b : a));
    const here = moves.at(-1)?.to ?? null;
    const hereDbm = live.find(([name]) => name === here)?.[1].dbm ?? Number.NEGATIVE_INFINITY;
    if (place === here || best.dbm < hereDbm + 4) next = '';
    else if (next !== place) [next, sinceMs] = [place, atMs];
    if (next === '' || atMs - sinceMs < 2_000) continue;
    moves.push({ atMs, from: here, to: next });
    next = '';
  }
  return moves;
}
