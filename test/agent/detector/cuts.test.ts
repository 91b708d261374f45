import fc from 'fast-check';
import { expect, test } from 'vitest';
import { agentSchema } from '../../../src/agent/config.ts';
import { createDecoder } from '../../../src/agent/decoder/decoder.ts';
import type { Detection } from '../../../src/agent/detector/detection.ts';
import { learnRooms } from '../../../src/agent/detector/learn-rooms.ts';
import { prepareRooms } from '../../../src/agent/detector/room-filter.ts';
import { createWatch, step } from '../../../src/agent/detector/watch.ts';
import { decodeAll, text } from '../decoder/cuts.ts';
import { homeRows, ROOMS } from './home.ts';
import { accelerated } from './motion.ts';

const learnt = learnRooms(
  ROOMS.map((room, i) =>
    homeRows([{ room, forMs: 30_000 }], i).flatMap(({ atMs, dbm }) =>
      [...dbm].map(([receiver, one]) => ({ atMs, receiver, dbm: one, room })),
    ),
  ),
);
const detecting = agentSchema.shape.detect.parse({});
const rooms = learnt.ok ? prepareRooms(learnt.model) : undefined;
const settings = { ...detecting, place: { ...detecting.place, rooms } };

/** A collar that shakes once, and beacons in four rooms that it hears: the reading is the collar's, the place the beacon's. */
const lines = [
  ...accelerated([{ fromMs: 4_000, forMs: 1_000, hz: 6, amplitudeG: 2 }], 8_000).map(
    ({ collar, atMs, axG, ayG, azG }) => ({
      atMs,
      line: { collar, t: atMs, ax: axG, ay: ayG, az: azG },
    }),
  ),
  ...homeRows([{ room: 'kitchen', forMs: 8_000 }], 9).flatMap(({ atMs, dbm }) =>
    [...dbm].map(([place, rssi]) => ({ atMs, line: { collar: 'C0FFEE01', t: atMs, place, sensor: place, rssi } })),
  ),
].sort((a, b) => a.atMs - b.atMs);
const bytes = text(lines.map(({ line }) => `${JSON.stringify(line)}\n`).join(''));

function detect(cuts: readonly number[]): Detection[] {
  let state = createWatch();
  return decodeAll(createDecoder({ format: 'json' }), bytes, cuts).readings.flatMap((reading) => {
    const watched = step(state, { type: 'reading', reading }, settings);
    state = watched.state;
    return watched.detections;
  });
}

test('any cut of the bytes gives the same meows and moves', () => {
  const whole = detect([]);
  expect(whole.map((d) => (d.type === 'cat.moved' ? `in the ${d.to}` : d.type))).toEqual([
    'in the kitchen',
    'meow.started',
    'meow.ended',
  ]);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 20 }), (cuts) => {
      expect(detect(cuts)).toEqual(whole);
    }),
    { numRuns: 30 },
  );
});
