import { describe, expect, test } from 'vitest';
import { type CalibrationRun, learnRooms } from '../../../src/agent/detector/learn-rooms.ts';
import { createRoomFilter, hearRoom, lookRoom, prepareRooms } from '../../../src/agent/detector/room-filter.ts';
import { MAX_ROOMS, MAX_SPOTS } from '../../../src/agent/detector/room-model.ts';
import { type HomeRow, homeRows, ROOMS } from './home.ts';

const run = (rows: readonly HomeRow[]): CalibrationRun =>
  rows.flatMap(({ atMs, room, dbm }) => [...dbm].map(([receiver, one]) => ({ atMs, receiver, dbm: one, room })));
const minute = ROOMS.map((room) => ({ room, forMs: 60_000 }));

function learn(runs: readonly CalibrationRun[]) {
  const learnt = learnRooms(runs);
  if (!learnt.ok) throw new Error(learnt.reason);
  return learnt.model;
}

/** Room by room as the filter tells it, and how often that was the true one once it had told any. */
function follow(model: ReturnType<typeof learn>, rows: readonly HomeRow[]) {
  const rooms = prepareRooms(model);
  const filter = createRoomFilter(rooms);
  const moves: string[] = [];
  let [told, right] = [0, 0];
  for (const { atMs, room, dbm } of rows) {
    for (const [receiver, one] of dbm) {
      const verdict = hearRoom(rooms, filter, rooms.receivers.get(receiver) ?? -1, one, atMs);
      if (verdict !== null && verdict.room !== moves.at(-1)) moves.push(verdict.room);
    }
    if (moves.length === 0) continue;
    told += 1;
    right += moves.at(-1) === room ? 1 : 0;
  }
  return { moves, accuracy: right / told };
}

describe('a minute in each room', () => {
  const model = learn(minute.map((stay, i) => run(homeRows([stay], 10 + i))));

  test.each([1, 2, 3, 4, 5])('tells the rooms of a walk that it has not heard, seed %i', (seed) => {
    const walk = ['living', 'kitchen', 'hall', 'bath', 'hall', 'kitchen'].map((room) => ({ room, forMs: 40_000 }));
    const { accuracy, moves } = follow(model, homeRows(walk, 100 + seed));
    expect(accuracy).toBeGreaterThan(0.85);
    expect(moves.length).toBeLessThanOrEqual(10);
  });

  test('a collar that stays is told once', () => {
    for (const room of ROOMS) {
      expect(follow(model, homeRows([{ room, forMs: 300_000 }], 7)).moves).toEqual([room]);
    }
  });

  test('one receiver that hears nothing any more is no move', () => {
    const rows = homeRows([{ room: 'kitchen', forMs: 120_000 }], 5).map((row) => {
      const dbm = new Map(row.dbm);
      if (row.atMs > 60_000) dbm.delete('hall');
      return { ...row, dbm };
    });
    expect(follow(model, rows).moves).toEqual(['kitchen']);
  });

  test('the same recordings give the same model, in any order of files', () => {
    const runs = minute.map((stay, i) => run(homeRows([stay], 10 + i)));
    expect(learn(runs)).toEqual(model);
    const { rooms, receivers } = learn([...runs].reverse());
    expect({ rooms, receivers }).toEqual({ rooms: model.rooms, receivers: model.receivers });
  });

  test('every row of moves sums to 1 and reaches every room', () => {
    for (const row of model.moves) {
      expect(row.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 3);
      for (const room of model.rooms.keys()) {
        expect(row.reduce((sum, share, to) => sum + (model.spots[to]?.room === room ? share : 0), 0)).toBeGreaterThan(
          0,
        );
      }
    }
  });
});

test('times of ticks change nothing', () => {
  const model = learn([run(homeRows(minute, 3))]);
  const rooms = prepareRooms(model);
  const rows = homeRows([...minute].reverse(), 4);
  const verdicts = (everyMs: number) => {
    const filter = createRoomFilter(rooms);
    const told: string[] = [];
    const tell = (verdict: ReturnType<typeof lookRoom>) => {
      if (verdict !== null) told.push(`${verdict.atMs} ${verdict.room} ${verdict.confidence.toFixed(6)}`);
    };
    let tickMs = 0;
    for (const { atMs, dbm } of rows) {
      for (; everyMs > 0 && tickMs < atMs; tickMs += everyMs) tell(lookRoom(rooms, filter, tickMs));
      for (const [receiver, one] of dbm) {
        tell(hearRoom(rooms, filter, rooms.receivers.get(receiver) ?? -1, one, atMs));
      }
    }
    tell(lookRoom(rooms, filter, Number.POSITIVE_INFINITY));
    return told;
  };
  expect(verdicts(0).length).toBeGreaterThan(100);
  expect(verdicts(50)).toEqual(verdicts(0));
  expect(verdicts(1_000)).toEqual(verdicts(0));
});

test('a clock that starts again is followed', () => {
  const model = learn(minute.map((stay, i) => run(homeRows([stay], 10 + i))));
  const rows = [
    ...homeRows([{ room: 'living', forMs: 60_000 }], 1, 5_000_000),
    ...homeRows([{ room: 'bath', forMs: 60_000 }], 2, 0),
  ];
  expect(follow(model, rows).moves).toEqual(['living', 'bath']);
});

test('limits hold: spots of many rooms, too many rooms, nothing to learn', () => {
  const many = Array.from({ length: MAX_ROOMS }, (_, i) =>
    homeRows([{ room: 'hall', forMs: 60_000 }], i).map((row) => ({ ...row, room: `room ${i}` })),
  ).map(run);
  expect(learn(many).spots.length).toBeLessThanOrEqual(MAX_SPOTS);
  const one: CalibrationRun = [{ atMs: 0, receiver: 'a', dbm: -60, room: 'one too many' }];
  expect(learnRooms([...many, one])).toMatchObject({ ok: false });
  expect(learnRooms([])).toMatchObject({ ok: false });
  expect(learn([one])).toMatchObject({ rooms: ['one too many'], receivers: ['a'] });
});
