/**
 * Edges of a vibration switch, or counted movements: how many of late. A switch may rest open or closed and chatters, so levels say
 * nothing and edges close together are one. Several in one reading are taken for edges of its time: nobody knows better.
 */

/** Edges are counted over this time. */
export const EDGES_MS = 500;
/** One edge so soon after another is its chatter. */
const CHATTER_MS = 10;
/** Readings remembered: three of them are a shake already. */
const REMEMBERED = 8;

/** Belongs to the detector: a state handed in is given away. */
export interface Edges {
  readonly atMs: Float64Array;
  readonly count: Float64Array;
  newest: number;
}

export function createEdges(): Edges {
  return { atMs: new Float64Array(REMEMBERED).fill(Number.NaN), count: new Float64Array(REMEMBERED), newest: 0 };
}

/** How many edges there were within EDGES_MS, these among them. */
export function countEdges(edges: Edges, count: number, atMs: number): number {
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
  for (const [i, when] of edges.atMs.entries()) {
    if (Math.abs(atMs - when) < EDGES_MS) sum += edges.count[i] ?? 0;
  }
  return sum;
}
