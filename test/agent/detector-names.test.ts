import { expect, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { packForest } from '../../src/agent/detector/forest.ts';
import { prepareRooms } from '../../src/agent/detector/room-filter.ts';
import type { RoomModel } from '../../src/agent/detector/room-model.ts';
import { shakeForest } from '../../src/agent/detector/shake-forest.ts';
import { kindOf, nameDetectors } from '../../src/agent/detector-names.ts';

const detect = agentSchema.shape.detect.parse({});
const names = nameDetectors(detect);
const model: RoomModel = {
  version: 1,
  receivers: ['hall', 'kitchen'],
  rooms: ['hall', 'kitchen'],
  spots: [
    { room: 0, dbm: [-50, -70] },
    { room: 1, dbm: [-70, -50] },
  ],
  spreadDb: [4, 4],
  moves: [
    [0.9, 0.1],
    [0.1, 0.9],
  ],
};
const withRooms = (rooms: RoomModel) =>
  nameDetectors({ ...detect, place: { ...detect.place, rooms: prepareRooms(rooms) } });

test('a name is the version of the detector and a hash of its settings', () => {
  for (const name of Object.values(names)) expect(name).toMatch(/^\d+\/[0-9a-f]{8}$/);
});

test('the order in which settings are written, and what is absent, change no name', () => {
  const { stayMs, certainty } = detect.place;
  expect(nameDetectors({ ...detect, place: { certainty, rooms: undefined, stayMs } })).toEqual(names);
});

test('a setting changes the name of its own detector and of no other', () => {
  const others = [
    ['shake', { ...detect, shake: { sensitivity: 1.5 } }],
    ['shake', { ...detect, shake: { ...detect.shake, collars: { A: { quietMs: 900 } } } }],
    ['place', { ...detect, place: { ...detect.place, stayMs: 5_000 } }],
    ['silence', { ...detect, silence: { afterMs: 1_000 } }],
    ['battery', { ...detect, battery: { lowPercent: 50 } }],
  ] as const;
  for (const [kind, settings] of others) {
    expect(nameDetectors(settings)).toEqual({ ...names, [kind]: expect.not.stringMatching(names[kind]) });
  }
});

test('the forest that has learnt belongs to the settings, the shipped one as well', () => {
  const forest = packForest(shakeForest);
  expect(nameDetectors({ ...detect, shake: { ...detect.shake, forest } })).toEqual(names);
  const other = packForest({ ...shakeForest, bias: shakeForest.bias + 0.001 });
  expect(nameDetectors({ ...detect, shake: { ...detect.shake, forest: other } }).shake).not.toBe(names.shake);
});

test('so do the rooms of a calibration: each number of it', () => {
  const known = withRooms(model);
  expect(known.place).not.toBe(names.place);
  expect(withRooms(structuredClone(model))).toEqual(known);
  expect(withRooms({ ...model, spreadDb: [4, 5] }).place).not.toBe(known.place);
  expect(withRooms({ ...model, rooms: ['hall', 'attic'] }).place).not.toBe(known.place);
});

test('each detection belongs to one detector', () => {
  expect(kindOf('meow.ended')).toBe('shake');
  expect(kindOf('cat.moved')).toBe('place');
  expect(kindOf('collar.heard')).toBe('silence');
  expect(kindOf('battery.low')).toBe('battery');
});
