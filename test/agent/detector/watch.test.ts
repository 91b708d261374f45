import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AgentConfig } from '../../../src/agent/config.ts';
import type { Reading } from '../../../src/agent/decoder/reading.ts';
import type { Detection } from '../../../src/agent/detector/detection.ts';
import { SHAKE_DEFAULTS } from '../../../src/agent/detector/shake-settings.ts';
import {
  createWatch,
  MAX_COLLARS,
  rememberCollar,
  step,
  type WatchInput,
  type WatchSettings,
} from '../../../src/agent/detector/watch.ts';
import { accelerated } from './motion.ts';

const fromConfig: AgentConfig['detect'] = {
  shake: { ...SHAKE_DEFAULTS, collars: {} },
  place: { stayMs: 60_000, certainty: 0.9 },
  silence: { afterMs: 60_000 },
  battery: { lowPercent: 15 },
};
const settings: WatchSettings = fromConfig;

function run(inputs: Iterable<WatchInput>, state = createWatch()): Detection[] {
  const out: Detection[] = [];
  let now = state;
  for (const input of inputs) {
    const watched = step(now, input, settings);
    now = watched.state;
    out.push(...watched.detections);
  }
  return out;
}

const asInputs = (readings: readonly Reading[]): WatchInput[] =>
  readings.map((reading) => ({ type: 'reading', reading }));

/** A collar's half minute: two rooms, two shakes, a battery that runs low. */
function life(collar: string, shiftMs: number): Reading[] {
  const shake = { forMs: 1_000, hz: 6, amplitudeG: 2 };
  const shakes = [
    { fromMs: 4_000 + shiftMs, ...shake },
    { fromMs: 20_000 + shiftMs, ...shake },
  ];
  return accelerated(shakes, 30_000, 25, collar).flatMap((reading, i) => {
    const { atMs } = reading;
    const near = atMs < 12_000 ? -55 : -75;
    if (i % 20 !== 0) return [reading];
    return [
      { ...reading, batteryPercent: atMs < 25_000 ? 16 : 14 },
      { collar, atMs, place: 'kitchen', rssiDbm: near },
      { collar, atMs, place: 'hall', rssiDbm: -130 - near },
    ];
  });
}

test('a meow knows the place where it ended', () => {
  const found = run([...asInputs(life('C0FFEE01', 0)), { type: 'end', atMs: 30_000 }]);
  const places = found.map((d) => (d.type === 'meow.ended' ? d.place : d.type === 'cat.moved' ? d.to : d.type));
  expect(places).toEqual(['kitchen', 'meow.started', 'kitchen', 'hall', 'meow.started', 'hall', 'battery.low']);
});

test('what is decided about a collar depends neither on other collars nor on the pace of ticks', () => {
  const collars = ['A', 'B', 'C'];
  const lives = collars.map((collar, i) => life(collar, i * 700));
  const end: WatchInput = { type: 'end', atMs: 60_000 };
  const alone = lives.map((readings) => run([...asInputs(readings), end]));
  expect(alone.map((found) => found.length)).toEqual([7, 7, 7]);
  const turns = fc.infiniteStream(fc.nat({ max: collars.length - 1 }));
  fc.assert(
    fc.property(turns, fc.integer({ min: 50, max: 5_000 }), (turn, everyMs) => {
      const rest = lives.map((readings) => [...readings].reverse());
      const inputs: WatchInput[] = [];
      for (let tickMs = everyMs; rest.some((readings) => readings.length > 0); tickMs += everyMs) {
        // Between two ticks the collars come in any order, each in its own.
        const isDue = (readings: readonly Reading[]) => (readings.at(-1)?.atMs ?? tickMs) < tickMs;
        while (rest.some(isDue)) {
          const readings = rest[turn.next().value] ?? [];
          const reading = isDue(readings) ? readings.pop() : undefined;
          if (reading !== undefined) inputs.push({ type: 'reading', reading });
        }
        inputs.push({ type: 'tick', atMs: tickMs });
      }
      const found = run([...inputs, end]);
      expect(collars.map((collar) => found.filter((d) => d.collar === collar))).toEqual(alone);
    }),
    { numRuns: 20 },
  );
});

test('a collar is silent and heard again', () => {
  const at = (atMs: number): WatchInput => ({ type: 'reading', reading: { collar: 'A', atMs, batteryPercent: 80 } });
  const found = run([at(0), { type: 'tick', atMs: 59_000 }, { type: 'tick', atMs: 61_000 }, at(70_000)]);
  expect(found.map(({ type, atMs }) => `${type} ${atMs}`)).toEqual(['collar.silent 60000', 'collar.heard 70000']);
});

test('a motion sensor that sees nobody is not a silent collar', () => {
  const reading = { collar: 'unknown', atMs: 0, place: 'hall', motion: true };
  const found = run([
    { type: 'reading', reading },
    { type: 'tick', atMs: 1e9 },
  ]);
  expect(found.map(({ type }) => type)).toEqual(['cat.moved']);
});

test('what was told before a restart is not told again', () => {
  const state = rememberCollar(createWatch(), {
    collar: 'A',
    place: 'kitchen',
    silent: true,
    batteryLow: true,
    atMs: -500_000,
  });
  const sighting = (atMs: number): WatchInput => ({
    type: 'reading',
    reading: { collar: 'A', atMs, place: 'kitchen', rssiDbm: -60, batteryPercent: 10 },
  });
  const found = run([{ type: 'tick', atMs: 0 }, sighting(1), sighting(5_000), sighting(9_000)], state);
  expect(found).toEqual([{ type: 'collar.heard', collar: 'A', atMs: 1, lastSeenMs: -500_000 }]);
});

test('a remembered collar that stays away is silent, once', () => {
  const known = { collar: 'A', place: null, silent: false, batteryLow: false, atMs: 0 };
  const state = rememberCollar(createWatch(), known);
  const found = run(
    [1, 2, 3].map((n) => ({ type: 'tick', atMs: n * 59_000 }) as const),
    state,
  );
  expect(found).toEqual([{ type: 'collar.silent', collar: 'A', atMs: 60_000, lastSeenMs: 0 }]);
});

test('more collars than the limit: the one heard longest ago is forgotten, and its burst ends', () => {
  const state = createWatch();
  const shaking = (collar: string, atMs: number): WatchInput => ({
    type: 'reading',
    reading: { collar, atMs, shake: 1 },
  });
  const inputs = Array.from({ length: MAX_COLLARS }, (_, i) => shaking(`collar${i}`, i));
  const found = run([...inputs, shaking('collar0', MAX_COLLARS), shaking('one more', MAX_COLLARS)], state);
  expect(state.collars.size).toBe(MAX_COLLARS);
  expect(state.collars.has('collar0')).toBe(true);
  expect(state.collars.has('collar1')).toBe(false);
  const ended = found.filter(({ type, collar }) => type === 'meow.ended' && collar === 'collar1');
  expect(ended).toHaveLength(1);
});
