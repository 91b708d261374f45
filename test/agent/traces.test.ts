import { expect, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import type { Reading } from '../../src/agent/decoder/reading.ts';
import { createWatch, step, type WatchInput } from '../../src/agent/detector/watch.ts';
import { createTraces, MAX_TRACED, UNASKED_MS } from '../../src/agent/traces.ts';
import { LIVE_COLUMNS, type LiveTrace, MAX_LIVE_BURSTS } from '../../src/contract/live.ts';
import { accelerated } from './detector/motion.ts';

const settings = agentSchema.shape.detect.parse({});

function rig() {
  let nowMs = 0;
  let state = createWatch();
  const traces = createTraces(settings.shake, () => nowMs);
  const give = (input: WatchInput) => {
    const watched = step(state, input, settings);
    state = watched.state;
    nowMs = input.type === 'reading' ? input.reading.atMs : input.atMs;
    traces.note(input, watched.detections, state);
  };
  return {
    traces,
    hear(readings: readonly Reading[]) {
      for (const reading of readings) give({ type: 'reading', reading });
    },
    tick: (atMs: number) => give({ type: 'tick', atMs }),
    wait: (ms: number) => {
      nowMs += ms;
    },
    look(collar: string, from = 0): LiveTrace {
      const trace = traces.look(collar, from);
      if (typeof trace === 'string') throw new Error(trace);
      return trace;
    },
  };
}

test('a minute of a collar: its level, how sure, the shake that was found, and by what it is judged', () => {
  const { look, hear, tick } = rig();
  expect(look('A')).toMatchObject({ measure: null, columns: [], bursts: [], rateHz: null, warnings: [] });
  hear(accelerated([{ fromMs: 4_000, forMs: 1_000, hz: 5, amplitudeG: 2 }], 9_000, 50, 'A', 1));
  tick(9_100);
  const trace = look('A');
  expect(trace).toMatchObject({
    collar: 'A',
    nowMs: 9_100,
    measure: 'acceleration',
    borders: { onOdds: 2, offOdds: 0, level: 0.25 },
    bursts: [{ startMs: expect.closeTo(4_000, -3), endMs: expect.closeTo(5_000, -3) }],
    rateHz: 50,
    restG: expect.closeTo(1, 1),
    warnings: [],
  });
  expect(trace.columns.map(({ no }) => no)).toEqual(Array.from({ length: 37 }, (_, no) => no));
  const shaking = trace.columns.filter((one) => one.shaking).map(({ no }) => no);
  expect(shaking[0]).toBeGreaterThanOrEqual(16);
  expect(shaking.at(-1)).toBeLessThanOrEqual(24);
  expect(shaking.length).toBeGreaterThanOrEqual(3);
  const strongest = trace.columns.reduce((a, b) => (b.level > a.level ? b : a));
  expect(strongest.level).toBeGreaterThan(0.8);
  expect(trace.columns.find(({ no }) => no === shaking[1])?.odds).toBeGreaterThan(2);
  // Only what is new.
  expect(look('A', 30).columns.map(({ no }) => no)).toEqual([30, 31, 32, 33, 34, 35, 36]);
});

test('of nobody who was not asked for anything is remembered', () => {
  const { look, hear } = rig();
  hear(accelerated([], 2_000, 50, 'A', 1));
  expect(look('A').columns).toEqual([]);
  hear(accelerated([], 2_000, 50, 'B', 1));
  expect(look('A').columns).toEqual([]);
});

test('a few collars at once; who asks no more makes room', () => {
  const { traces, look, wait } = rig();
  for (let no = 0; no < MAX_TRACED; no += 1) look(`collar ${no}`);
  expect(traces.look('one more', 0)).toMatch(/are looked at already/);
  wait(UNASKED_MS - 1_000);
  look('collar 0');
  wait(2_000);
  expect(look('one more')).toMatchObject({ collar: 'one more' });
  expect(look('collar 0')).toMatchObject({ collar: 'collar 0' });
});

test('it remembers a minute and no more, of a clock that goes back what came after', () => {
  const { look, hear } = rig();
  look('A');
  for (const reading of accelerated([], 90_000, 25, 'A', 1)) {
    hear([reading]);
    if (reading.atMs % 10_000 === 0) look('A');
  }
  const { columns, nowMs } = look('A');
  expect(columns.length).toBeGreaterThanOrEqual(LIVE_COLUMNS - 1);
  expect(columns.length).toBeLessThanOrEqual(LIVE_COLUMNS);
  expect(250 * (columns[0]?.no ?? 0)).toBeGreaterThan(nowMs - 60_000);
  hear(accelerated([], 1_000, 25, 'A', 1));
  expect(look('A').columns.map(({ no }) => no)).toEqual([0, 1, 2, 3, 4]);
});

test('bursts are bounded too, and one that began before is shown when it ends', () => {
  const { look, hear, tick } = rig();
  const shakes = (from: number, count: number) =>
    Array.from({ length: count }, (_, i): Reading[] => [
      { collar: 'A', atMs: from + 1_000 * i, shake: 1 },
      { collar: 'A', atMs: from + 1_000 * i + 100, shake: 0 },
    ]).flat();
  hear(shakes(0, 1));
  look('A');
  tick(2_000);
  expect(look('A').bursts).toEqual([{ startMs: 0, endMs: 0 }]);
  hear(shakes(3_000, MAX_LIVE_BURSTS + 20));
  expect(look('A').bursts.length).toBeLessThanOrEqual(MAX_LIVE_BURSTS);
});

test.each([
  ['levels of the collar itself', [0, 0.2, 0.7].map((shake, i) => ({ atMs: 100 * i, shake })), 'level', 0.5, 0.7],
  ['edges of a vibration switch', [1, 1, 1].map((edges, i) => ({ atMs: 100 * i, edges })), 'edges', 3, 3],
] as const)('%s have a measure and a border of their own', (_name, told, measure, level, newest) => {
  const { look, hear } = rig();
  look('A');
  hear(told.map((one) => ({ collar: 'A', ...one })));
  const trace = look('A');
  expect(trace).toMatchObject({ measure, borders: { onOdds: null, offOdds: null, level } });
  expect(trace.columns.at(-1)).toMatchObject({ level: newest, odds: null, shaking: true });
});

test('a receiver that hears the collar says nothing of how it moves', () => {
  const { look, hear } = rig();
  look('A');
  hear([{ collar: 'A', atMs: 1, place: 'hall', rssiDbm: -60 }]);
  expect(look('A')).toMatchObject({ measure: null, columns: [] });
});

test('what is wrong with the readings is told', () => {
  const { look, hear } = rig();
  look('A');
  hear(accelerated([], 6_000, 20, 'A', 9.81));
  expect(look('A').warnings).toEqual([
    expect.stringContaining('set unit: m/s2'),
    expect.stringContaining('20.0 readings'),
  ]);
});
