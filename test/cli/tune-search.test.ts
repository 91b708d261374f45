/** For each kind of reading: ten shakes that are found badly as it is set, and what is proposed. Each proposal is judged by the detector anew. */
import { describe, expect, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import type { Reading } from '../../src/agent/decoder/reading.ts';
import type { ShakeSettings } from '../../src/agent/detector/shake-settings.ts';
import { choose, type WeighedTrial } from '../../src/cli/tune-proposal.ts';
import { judge, type Search, search, type Trial, withChanges } from '../../src/cli/tune-search.ts';
import { createWizard } from '../../src/cli/tune-wizard.ts';
import { COLLAR, QUICK, SLOW, shakenAcceleration, shakenReadings, shakesIn } from './shaken.ts';

const settings = agentSchema.shape.detect.parse({});

function recordedOf(readings: readonly Reading[], isSilentAtRest = false) {
  const wizard = createWizard(settings);
  if (isSilentAtRest) for (const ms of [0, 5_000]) wizard.pass(ms);
  for (const reading of readings) wizard.take(reading);
  return wizard.recorded();
}

const unweighed = (trial: Trial): WeighedTrial => ({ ...trial, perHour: null, spellsPerHour: null });
const chosenOf = ({ now, fitting }: Search) => choose(unweighed(now), fitting.map(unweighed));

const levels =
  (high: number, low = 0.03) =>
  (passedMs: number | undefined) => ({ shake: passedMs === undefined ? low : high });
const counts = (many: number) => (passedMs: number | undefined) => ({ edges: passedMs === undefined ? 0 : many });
const switched = (...when: number[]) =>
  shakesIn(QUICK).flatMap(({ fromMs }) => when.map((ms): Reading => ({ collar: COLLAR, atMs: fromMs + ms, edges: 1 })));
const RUUVI = { fromMs: 8_000, forMs: 3_000, pauseMs: 6_000 };

test.each<[string, Reading[], object, object]>([
  ['weak acceleration', shakenAcceleration(QUICK, 0.35), { found: 0 }, { sensitivity: 2 }],
  ['weak levels', shakenReadings(QUICK, 100, levels(0.35)), { found: 0 }, { levelOn: 0.3 }],
  [
    'levels that never come down',
    shakenReadings(QUICK, 100, levels(0.95, 0.4)),
    { found: 1, joined: 8 },
    { levelHold: 0.9 },
  ],
  [
    'levels that flicker',
    shakenReadings(QUICK, 100, (ms) => ({ shake: ms !== undefined && ms % 900 < 100 ? 0.9 : 0.05 })),
    { found: 10, inPieces: 10 },
    { quietMs: 1_500 },
  ],
  [
    'levels each two seconds',
    shakenReadings(SLOW, 2_000, levels(0.9)),
    { found: 10, inPieces: 10 },
    { quietMs: 4_000 },
  ],
  [
    'weak levels each two seconds',
    shakenReadings(SLOW, 2_000, levels(0.3)),
    { found: 0 },
    { levelOn: 0.25, quietMs: 4_000 },
  ],
  ['a switch with few edges', switched(0, 400, 800), { found: 0 }, { edgesMs: 1_500 }],
  [
    'a switch that steps shake, too',
    shakenReadings(QUICK, 100, (ms, i) => ({ edges: ms !== undefined ? 2 : i % 20 < 3 ? 1 : 0 })),
    { found: 10, besides: 8 },
    { edgesOn: 5 },
  ],
  ['counted movements', shakenReadings(RUUVI, 1_285, counts(7)), { found: 10, inPieces: 10 }, { quietMs: 2_000 }],
  ['few movements a message', shakenReadings(SLOW, 2_000, counts(2)), { found: 0 }, { edgesMs: 3_000 }],
])('%s', (_name, readings, now, changes) => {
  const recorded = recordedOf(readings, readings[0]?.atMs !== 0);
  expect(recorded.bouts).toHaveLength(10);
  const searched = search(recorded, COLLAR, settings);
  expect(searched.now).toMatchObject(now);
  const chosen = chosenOf(searched);
  expect(chosen).toMatchObject({ found: 10, inPieces: 0, joined: 0, besides: 0, faults: 0 });
  expect(chosen?.changes).toEqual(changes);
  expect(judge(recorded, withChanges(settings, COLLAR, changes))).toMatchObject({ found: 10, faults: 0 });
  expect(searched.untried).toBe(0);
});

test.each<[string, Reading[]]>([
  ['acceleration', shakenAcceleration(QUICK)],
  ['acceleration at 25 Hz', shakenAcceleration(QUICK, 2, 25)],
  ['levels', shakenReadings(QUICK, 100, levels(0.9))],
  ['a switch', switched(0, 180, 420, 640, 900)],
  ['counted movements that come in time', shakenReadings(QUICK, 500, counts(6))],
])('%s that is found as it is set stays as it is', (_name, readings) => {
  const searched = search(recordedOf(readings, readings[0]?.atMs !== 0), COLLAR, settings);
  expect(searched.now).toMatchObject({ found: 10, faults: 0 });
  expect(chosenOf(searched)).toBeNull();
});

test('with three of ten readings lost on the air a slow collar still gets what fits it', () => {
  // What is lost is the same each time: every seventh, and a third of what is left.
  const readings = shakenReadings(SLOW, 1_000, levels(0.9)).filter((_, i) => i % 7 !== 3 && i % 4 !== 1);
  const searched = search(recordedOf(readings), COLLAR, settings);
  expect(searched.now.inPieces).toBeGreaterThan(5);
  expect(chosenOf(searched)).toMatchObject({ changes: { quietMs: expect.any(Number) }, found: 10, faults: 0 });
});

test('a collar keeps what it has of its own, and is judged by it', () => {
  const own: ShakeSettings = { ...settings.shake, collars: { [COLLAR]: { levelOn: 0.25 } } };
  const readings = shakenReadings(SLOW, 2_000, levels(0.3));
  const searched = search(recordedOf(readings), COLLAR, { ...settings, shake: own });
  expect(searched.now).toMatchObject({ found: 10, inPieces: 10 });
  expect(chosenOf(searched)?.changes).toEqual({ quietMs: 4_000 });
});

test('what no setting finds has no better proposal than many misses', () => {
  const slow = shakenAcceleration(QUICK, 2, 12.5).map((one) => ({ ...one, atMs: 4 * one.atMs }));
  const { now, fitting } = search(recordedOf(slow), COLLAR, settings);
  expect([now.found, ...fitting.map(({ found }) => found)].every((found) => found === 0)).toBe(true);
});

test('it ends at its limit, and tells how many were not tried', () => {
  const recorded = recordedOf(shakenReadings(QUICK, 100, levels(0.3)));
  const { tried, untried } = search(recorded, COLLAR, settings, 19.5 * recorded.readings.length);
  expect(tried).toBe(19);
  expect(untried).toBeGreaterThan(10);
});

describe('of what fits', () => {
  const trial = (changes: object, more: Partial<WeighedTrial> = {}): WeighedTrial => ({
    ...{ changes, found: 10, inPieces: 0, joined: 0, besides: 0, faults: 0, room: 2, distance: 1 },
    ...{ perHour: null, spellsPerHour: null, ...more },
  });
  const bad = trial({}, { faults: 3 });
  test.each([
    ['nothing', bad, [], null],
    [
      'the safest',
      bad,
      [trial({ quietMs: 1 }, { room: 1 }), trial({ quietMs: 2 }, { spellsPerHour: 9 })],
      { quietMs: 2 },
    ],
    [
      'then the quietest',
      bad,
      [trial({ quietMs: 1 }, { spellsPerHour: 2 }), trial({ quietMs: 2 }, { spellsPerHour: 1 })],
      { quietMs: 2 },
    ],
    ['then the nearest', bad, [trial({ quietMs: 1 }), trial({ quietMs: 2 }, { distance: 0.5 })], { quietMs: 2 }],
    ['what does no better than now never', trial({}), [trial({ quietMs: 1 })], null],
    [
      'what makes half the meows of what is kept, where these are many',
      trial({}, { spellsPerHour: 3 }),
      [trial({ sensitivity: 0.5 }, { spellsPerHour: 1 })],
      { sensitivity: 0.5 },
    ],
    [
      'and not where these are few',
      trial({}, { spellsPerHour: 0.9 }),
      [trial({ sensitivity: 0.5 }, { spellsPerHour: 0 })],
      null,
    ],
  ])('%s', (_name, now, fitting, changes) => {
    expect(choose(now, fitting)?.changes ?? null).toEqual(changes);
  });
});
