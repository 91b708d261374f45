import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { learnRooms } from '../../src/agent/detector/learn-rooms.ts';
import { prepareRooms } from '../../src/agent/detector/room-filter.ts';
import type { RoomModel } from '../../src/agent/detector/room-model.ts';
import { formatPlaces, loadPlaces } from '../../src/agent/places-file.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'collard-places-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function learnt(): RoomModel {
  const at = (room: string, near: number, fromMs: number) =>
    Array.from({ length: 200 }, (_, i) => [
      { atMs: fromMs + i * 300, receiver: 'a', dbm: -50 - near, room },
      { atMs: fromMs + i * 300, receiver: 'b', dbm: -80 + near, room },
    ]).flat();
  const found = learnRooms([[...at('hall', 0, 0), ...at('loft', 30, 60_000)]]);
  if (!found.ok) throw new Error(found.reason);
  return found.model;
}

function load(text: string) {
  const path = join(folder, 'places.json');
  writeFileSync(path, text);
  return loadPlaces(path);
}

test('what is written is read again as it was', () => {
  const model = learnt();
  expect(load(formatPlaces(model))).toEqual(prepareRooms(model));
});

test.each<[string, (model: RoomModel) => unknown, RegExp]>([
  ['another version', (model) => ({ ...model, version: 2 }), /version/],
  ['a row of moves too few', (model) => ({ ...model, moves: model.moves.slice(1) }), /do not fit/],
  ['a spot in no room', (model) => ({ ...model, rooms: ['hall'] }), /do not fit/],
  ['no spots', (model) => ({ ...model, spots: [], moves: [] }), /spots/],
  ['a strength that is none', (model) => ({ ...model, spreadDb: [0, 0] }), /spreadDb/],
])('%s is refused with the fix', (_name, change, reason) => {
  const refused = () => load(JSON.stringify(change(learnt())));
  expect(refused).toThrow(reason);
  expect(refused).toThrow(/collard calibrate/);
});

test('what is not JSON, not there or too large is refused', () => {
  expect(() => load('rooms: yes')).toThrow(/is not JSON/);
  expect(() => load(' '.repeat(1_000_001))).toThrow(/larger than/);
  expect(() => loadPlaces(join(folder, 'none.json'))).toThrow(/cannot read .*ENOENT/);
});
