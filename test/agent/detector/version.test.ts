/** What is decided of a few made-up minutes. Who changes it raises the version of that detector, and then these lines. */
import { expect, test } from 'vitest';
import { agentSchema } from '../../../src/agent/config.ts';
import type { Reading } from '../../../src/agent/decoder/reading.ts';
import type { Detection } from '../../../src/agent/detector/detection.ts';
import { learnRooms } from '../../../src/agent/detector/learn-rooms.ts';
import { prepareRooms } from '../../../src/agent/detector/room-filter.ts';
import { DETECTOR_VERSIONS } from '../../../src/agent/detector/version.ts';
import { createWatch, step, type WatchInput, type WatchSettings } from '../../../src/agent/detector/watch.ts';
import { kindOf } from '../../../src/agent/detector-names.ts';
import { homeRows, ROOMS } from './home.ts';
import { accelerated } from './motion.ts';

const settings = agentSchema.shape.detect.parse({});

function decide(readings: readonly Reading[], endMs: number, by: WatchSettings = settings): Detection[] {
  let state = createWatch();
  const inputs: WatchInput[] = readings.map((reading) => ({ type: 'reading', reading }));
  for (let atMs = 0; atMs <= endMs; atMs += 1_000) inputs.push({ type: 'tick', atMs });
  inputs.sort((a, b) => timeOf(a) - timeOf(b));
  return inputs.flatMap((input) => {
    const watched = step(state, input, by);
    state = watched.state;
    return watched.detections;
  });
}

function timeOf(input: WatchInput): number {
  return input.type === 'reading' ? input.reading.atMs : input.atMs;
}

const shaken = accelerated(
  [
    { fromMs: 3_000, forMs: 800, hz: 5, amplitudeG: 2 },
    { fromMs: 6_000, forMs: 3_000, hz: 1.8, amplitudeG: 0.4 },
    { fromMs: 12_000, forMs: 400, hz: 7, amplitudeG: 3, roundness: 0.5 },
  ],
  16_000,
);
const heard = (place: string, fromMs: number, dbm: number): Reading[] =>
  Array.from({ length: 20 }, (_, i) => ({ collar: 'A', atMs: fromMs + 500 * i, place, rssiDbm: dbm - (i % 3) }));

type Decided = readonly [version: number, decided: readonly unknown[]];
const DECIDED: Readonly<Record<string, Decided>> = {
  shake: [
    2,
    [
      ['meow.started', 3_000, 1.3],
      ['meow.ended', 3_000, 2],
      ['meow.started', 12_000, 1.6],
      ['meow.ended', 12_000, 2.9],
    ],
  ],
  'shake levels': [
    2,
    [
      ['meow.started', 400, 0.6],
      ['meow.ended', 400, 0.6],
      ['meow.started', 2_400, 0.5],
      ['meow.ended', 2_400, 0.5],
    ],
  ],
  'vibration switch': [
    2,
    [
      ['meow.started', 300, 1],
      ['meow.ended', 300, 1.3],
    ],
  ],
  place: [
    3,
    [
      ['cat.moved', 2_000],
      ['cat.moved', 7_250],
    ],
  ],
  'motion sensors': [
    3,
    [
      ['cat.moved', 0],
      ['cat.moved', 2_000],
      ['cat.moved', 6_000],
    ],
  ],
  'calibrated place': [
    3,
    [
      ['cat.moved', 250],
      ['cat.moved', 24_000],
      ['cat.moved', 45_750],
    ],
  ],
  silence: [
    1,
    [
      ['collar.silent', 600_000],
      ['collar.heard', 700_500],
    ],
  ],
  battery: [
    1,
    [
      ['battery.low', 1_000],
      ['battery.low', 4_000],
    ],
  ],
};

/** Rooms that a calibration has learnt, and a walk through them. */
const calibration = learnRooms(
  ROOMS.map((room, i) =>
    homeRows([{ room, forMs: 60_000 }], 10 + i).flatMap(({ atMs, dbm }) =>
      [...dbm].map(([receiver, one]) => ({ atMs, receiver, dbm: one, room })),
    ),
  ),
);
if (!calibration.ok) throw new Error(calibration.reason);
const rooms = prepareRooms(calibration.model);
const walk = homeRows(
  ['living', 'kitchen', 'hall'].map((room) => ({ room, forMs: 20_000 })),
  101,
).flatMap(({ atMs, dbm }): Reading[] =>
  [...dbm].map(([receiver, rssiDbm]) => ({ collar: 'A', atMs, place: receiver, sensor: receiver, rssiDbm })),
);

/** Each way in which a detector may come to its decisions. */
test.each([
  ['shake', decide(shaken, 16_000)],
  [
    'shake levels',
    decide(
      [0.4, 0.6, 0.3, 0.1, 0, 0, 0.5].map((shake, i) => ({ collar: 'A', atMs: 400 * i, shake })),
      4_000,
    ),
  ],
  [
    'vibration switch',
    decide(
      [0, 4, 100, 300, 350, 900, 3_000, 3_400].map((atMs) => ({ collar: 'A', atMs, edges: 1 })),
      5_000,
    ),
  ],
  [
    'motion sensors',
    decide(
      ['hall', 'attic', 'attic', 'hall'].map((place, i) => ({ collar: 'A', atMs: 2_000 * i, place, motion: true })),
      9_000,
    ),
  ],
  ['calibrated place', decide(walk, 60_000, { ...settings, place: { ...settings.place, rooms } })],
  ['place', decide([...heard('hall', 0, -60), ...heard('attic', 6_000, -50)], 20_000)],
  [
    'silence',
    decide(
      [
        { collar: 'A', atMs: 0 },
        { collar: 'A', atMs: 700_500 },
      ],
      701_000,
    ),
  ],
  [
    'battery',
    decide(
      [60, 15, 14, 40, 13].map((batteryPercent, i) => ({ collar: 'A', atMs: 1_000 * i, batteryPercent })),
      5_000,
    ),
  ],
] as const)('%s decides as its version says', (way, detections) => {
  const kind = kindOf(detections[0]?.type ?? 'battery.low');
  // To 0.05 s and 0.1 g: what other processors calculate is not another decision.
  const told = detections.map((d) =>
    'startMs' in d
      ? [d.type, Math.round(d.startMs / 50) * 50, Math.round(10 * ('peakG' in d ? d.peakG : d.level)) / 10]
      : [d.type, Math.round(d.atMs / 50) * 50],
  );
  expect([DETECTOR_VERSIONS[kind], told]).toEqual(DECIDED[way]);
});
