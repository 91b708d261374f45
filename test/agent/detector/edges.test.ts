import { expect, test } from 'vitest';
import { countEdges, createEdges, REMEMBERED } from '../../../src/agent/detector/edges.ts';
import { SHAKE_DEFAULTS } from '../../../src/agent/detector/shake-settings.ts';

const EDGES_MS = SHAKE_DEFAULTS.edgesMs;

test.each<[string, [count: number, atMs: number][], number]>([
  [
    'edges of the last half second',
    [
      [1, 0],
      [1, 100],
      [1, 400],
    ],
    3,
  ],
  [
    'what is older is forgotten',
    [
      [1, 0],
      [1, 100],
      [1, EDGES_MS + 50],
    ],
    2,
  ],
  [
    'chatter of a switch is one edge',
    [
      [1, 0],
      [1, 3],
      [1, 8],
      [1, 200],
    ],
    2,
  ],
  ['several in one reading are several', [[4, 1_000]], 4],
  [
    'a reading without edges is none',
    [
      [0, 0],
      [0, 100],
    ],
    0,
  ],
  ['more readings than are remembered', Array.from({ length: 2 * REMEMBERED }, (_, i) => [1, i * 10]), REMEMBERED],
])('%s', (_name, readings, expected) => {
  const edges = createEdges();
  const counts = readings.map(([count, atMs]) => countEdges(edges, count, atMs));
  expect(counts.at(-1)).toBe(expected);
});
