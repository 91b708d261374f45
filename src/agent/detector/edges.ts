/**
 * Edges of a vibration switch, or counted movements: how many of late. A switch may rest open or closed and chatters, so levels say
 * nothing and edges close together are one. Several in one reading are taken for edges of its time: nobody knows better.
 */

import { SHAKE_DEFAULTS } from './shake-settings.ts';

/** One edge so soon after another is its chatter. */
const CHATTER_MS = 10;
/** Readings remembered: more edges that come one by one are never asked for at once. */
export const REMEMBERED = 32;

/** Belongs to the detector: a state handed in is given away. */
export interface Edges {
  readonly atMs: Float64Array;
  readonly count: Float64Array;
  newest: number;
  /** Counted over this time, by the newest settings. */
  withinMs: number;
}

export function createEdges(): Edges {
  return {
    atMs: new Float64Array(REMEMBERED).fill(Number.NaN),
    count: new Float64Array(REMEMBERED),
    newest: 0,
    withinMs: SHAKE_DEFAULTS.edgesMs,
  };
}

/** How many edges there were within that time, these among them. */
export function countEdges(
  edges: Edges,
  count: number,
  atMs: number,
  withinMs: number = SHAKE_DEFAULTS.edgesMs,
): number {
  edges.withinMs = withinMs;
  const passedMs = atMs - (edges.atMs[edges.newest] ?? Number.NaN);
  if (count > 0 && !(count === 1 && passedMs >= 0 && passedMs < CHATTER_MS)) {
    edges.newest = (edges.newest + 1) % REMEMBERED;
    edges.atMs[edges.newest] = atMs;
    edges.count[edges.newest] = count;
  }
  return edgesOfLate(edges, atMs);
}

export function edgesOfLate(edges: Edges, atMs: number): number {
  let sum = 0;
  for (let i = 0; i < REMEMBERED; i += 1) {
    if (Math.abs(atMs - (edges.atMs[i] ?? Number.NaN)) < edges.withinMs) sum += edges.count[i] ?? 0;
  }
  return sum;
}
