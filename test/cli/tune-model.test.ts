import { expect, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import type { Reading } from '../../src/agent/decoder/reading.ts';
import { COLUMNS, createTuneModel } from '../../src/cli/tune-model.ts';
import { screenOf } from '../../src/cli/tune-screen.ts';
import { accelerated } from '../agent/detector/motion.ts';

const settings = agentSchema.shape.detect.parse({});

function viewOf(readings: readonly Reading[]) {
  const model = createTuneModel(settings);
  for (const reading of readings) model.take(reading);
  return model.view();
}

const frame = { columns: 80, rows: 24, title: 'C0FFEE01', prompt: ['Shake it'] };
const shaken = accelerated([{ fromMs: 4_000, forMs: 1_000, hz: 5, amplitudeG: 2 }], 9_000, 50, 'A', 1);

test('a collar that is well gives no warning', () => {
  const view = viewOf(shaken);
  expect(view.warnings).toEqual([]);
  expect(view).toMatchObject({ readings: 451, shaking: false, meowCount: 1 });
  expect(view.rateHz).toBeCloseTo(50, 1);
  expect(view.restG).toBeCloseTo(1, 1);
  expect(view.columns).toHaveLength(46);
  expect(view.meows).toEqual([
    { startMs: expect.closeTo(4_000, -3), endMs: expect.closeTo(5_000, -3), peakG: expect.closeTo(2, 0) },
  ]);
});

test.each([
  [9.81, 'set unit: m/s2'],
  [1_010, 'set unit: mg'],
  [256, 'set unit: 256 for'],
  [0.5, 'look at its unit and its range'],
])('at rest %d is another unit', (restG, words) => {
  const scaled = accelerated([], 6_000, 50, 'A', restG);
  expect(viewOf(scaled).warnings).toEqual([expect.stringContaining(words)]);
});

test.each([0.85, 1, 1.15])('at rest %d is a sensor as they are', (restG) => {
  expect(viewOf(accelerated([], 6_000, 50, 'A', restG)).warnings).toEqual([]);
});

test('25 Hz are enough, 24 are not', () => {
  expect(viewOf(accelerated([], 6_000, 25, 'A', 1)).warnings).toEqual([]);
  expect(viewOf(accelerated([], 6_000, 24, 'A', 1)).warnings).toEqual([
    expect.stringContaining('24.0 readings a second'),
  ]);
});

test.each([
  ['a loss', [10, 11, 500, 501], 0],
  ['a wrap', [65_534, 65_535, 0, 1], 0],
  ['one that comes late', [10, 12, 11, 13], 0],
  ['a restart', [20_000, 20_001, 1, 2], 1],
  ['restarts', [20_000, 1, 30_000, 2], 3],
])('%s of the counter', (_name, counters, restarts) => {
  const readings = counters.map((counter, i) => ({ collar: 'A', atMs: 20 * i, counter, axG: 0, ayG: 0, azG: 1 }));
  expect(viewOf(readings).warnings).toEqual(
    restarts === 0 ? [] : [expect.stringContaining(restarts === 1 ? 'once' : `${restarts} times`)],
  );
});

test('it remembers a minute, with the pauses in it, and no more', () => {
  expect(viewOf(accelerated([], 120_000, 25, 'A', 1)).columns).toHaveLength(COLUMNS);
  const paused = viewOf([...accelerated([], 1_000, 50, 'A', 1), { collar: 'A', atMs: 3_001, axG: 0, ayG: 0, azG: 1 }]);
  expect(paused.columns).toHaveLength(16);
  expect(
    viewOf([
      { collar: 'A', atMs: 0, shake: 0 },
      { collar: 'A', atMs: 1e12, shake: 0 },
    ]).columns,
  ).toHaveLength(COLUMNS);
});

test('a collar that tells only levels is seen by these', () => {
  const view = viewOf([0, 0.1, 0.9, 0.8].map((shake, i) => ({ collar: 'A', atMs: 200 * i, shake })));
  expect(view).toMatchObject({ level: 0.8, odds: null, shaking: true, rateHz: null, restG: null });
  expect(screenOf(view, frame).join('\n')).toContain('0.50 ┄');
});

test('a collar that counts movements beside a seldom acceleration is seen by what it counts, and that is well', () => {
  const still = { axG: 0, ayG: 0, azG: 1 };
  const view = viewOf([0, 0, 7, 6, 0, 5].map((edges, i) => ({ collar: 'A', atMs: 1_285 * i, ...still, edges })));
  expect(view).toMatchObject({ measure: 'edges', level: 5, odds: null, shaking: true, warnings: [] });
  const alone = viewOf([0, 1, 2, 3].map((i) => ({ collar: 'A', atMs: 1_285 * i, ...still })));
  expect(alone).toMatchObject({ measure: 'acceleration', warnings: [expect.stringContaining('a shake needs 25')] });
});

test.each([
  [80, 24],
  [40, 12],
  [200, 60],
  [20, 5],
])('a screen fits into %d by %d', (columns, rows) => {
  const lines = screenOf(viewOf(shaken), { ...frame, columns, rows });
  expect(lines.length).toBeLessThanOrEqual(rows);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
});

test('a screen shows where it shook: the highest bars, sure, and the meow', () => {
  const lines = screenOf(viewOf(shaken), frame);
  const row = (name: string) => (lines.find((line) => line.startsWith(name)) ?? '').slice(7);
  const at = row('meow').indexOf('█');
  expect(at).toBeGreaterThanOrEqual(18);
  expect(at).toBeLessThanOrEqual(21);
  expect(row('meow').split('█').length - 1).toBeGreaterThanOrEqual(4);
  expect(row('sure')[at + 2]).toMatch(/[▆▇█]/);
  expect(lines.at(-1)).toBe('Shake it');
});

test('names of collars cannot move the cursor', () => {
  expect(screenOf(viewOf([]), { ...frame, title: 'a\u001b[2Jb' })[0]).toBe('a\\u001b[2Jb');
});
