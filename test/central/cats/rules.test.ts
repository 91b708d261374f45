import { describe, expect, test } from 'vitest';
import { applyRules, MAX_KEPT_MEOWS, noMemory, type RuleMemory } from '../../../src/central/cats/rules.ts';
import { centralSchema, type Rule } from '../../../src/central/config.ts';
import type { CatRow, CentralEvent } from '../../../src/central/store/store.ts';

const HOUR = 3_600_000;
const NOW = Date.parse('2026-11-23T12:00:00.000Z');
const at = (ms: number) => new Date(ms).toISOString();

const mia: CatRow = {
  id: 1,
  name: 'Mia',
  isMeowed: false,
  location: 'hall',
  locationSince: null,
  collar: 'C1',
  lastSeen: null,
  lastHeard: null,
  meowsToday: 0,
  batteryLow: false,
  silent: false,
};

function meow(ms: number, type = 'collard.meow.started'): CentralEvent {
  const stored = { epoch: 'e', seq: 1, type, version: 1, subject: 'collar/C1', time: at(ms), clock: 'synced' } as const;
  return {
    ...stored,
    boot: null,
    monoMs: null,
    data: '{}',
    agent: 'a',
    shard: 0,
    arrival: 1,
    position: 1,
    revoked: false,
    reassignedTo: null,
    correction: null,
  };
}

const shake = (endMs: number, durationMs: number): CentralEvent => ({
  ...meow(endMs, 'collard.meow.ended'),
  data: JSON.stringify({ durationMs, peakG: 1, readings: 3, place: null }),
});

function rules(...given: unknown[]): readonly Rule[] {
  return centralSchema.shape.rules.parse(given);
}

describe('rules', () => {
  test.each<[string, unknown, Partial<CatRow>, CentralEvent[], boolean]>([
    [
      'three shakes in a minute',
      { rule: 'shaking', meows: 3, withinMinutes: 1 },
      {},
      [1, 2, 3].map((s) => meow(NOW - s * 1_000)),
      true,
    ],
    [
      'two shakes',
      { rule: 'shaking', meows: 3, withinMinutes: 1 },
      {},
      [1, 2].map((s) => meow(NOW - s * 1_000)),
      false,
    ],
    [
      'a third shake long ago',
      { rule: 'shaking', meows: 3, withinMinutes: 1 },
      {},
      [1, 2, 61].map((s) => meow(NOW - s * 1_000)),
      false,
    ],
    [
      'a minute of shaking in two',
      { rule: 'shaking', seconds: 60 },
      {},
      [shake(NOW - 1, 20_000), shake(NOW - 2, 40_000)],
      true,
    ],
    ['almost a minute of shaking', { rule: 'shaking', seconds: 60 }, {}, [shake(NOW, 59_999)], false],
    ['shaking too long, long ago', { rule: 'shaking', seconds: 1 }, {}, [shake(NOW - HOUR, 60_000)], false],
    [
      'shaking too long of another cat',
      { rule: 'shaking', seconds: 1 },
      {},
      [{ ...shake(NOW, 60_000), reassignedTo: 2 }],
      false,
    ],
    [
      'shaking for less than no time',
      { rule: 'shaking', seconds: 1 },
      {},
      [shake(NOW, -60_000), shake(NOW, 999)],
      false,
    ],
    ['ends of shakes', { rule: 'shaking', meows: 1 }, {}, [meow(NOW, 'collard.meow.ended')], false],
    ['a shake that was taken back', { rule: 'shaking', meows: 1 }, {}, [{ ...meow(NOW), revoked: true }], false],
    ['a shake of another cat', { rule: 'shaking', meows: 1 }, {}, [{ ...meow(NOW), reassignedTo: 2 }], false],
    ['a shake that was given to it', { rule: 'shaking', meows: 1 }, {}, [{ ...meow(NOW), reassignedTo: 1 }], true],
    ['a place since 13 h', { rule: 'still', hours: 12 }, { locationSince: at(NOW - 13 * HOUR) }, [], true],
    [
      'a place since 13 h and a shake',
      { rule: 'still', hours: 12 },
      { locationSince: at(NOW - 13 * HOUR) },
      [meow(NOW - HOUR)],
      false,
    ],
    ['a cat of which nothing is known', { rule: 'still', hours: 12 }, {}, [], false],
    [
      'stillness of a silent collar',
      { rule: 'still', hours: 12 },
      { locationSince: at(NOW - 13 * HOUR), silent: true },
      [],
      false,
    ],
    ['silence for 2 h', { rule: 'silent', hours: 1 }, { silent: true, lastSeen: at(NOW - 2 * HOUR) }, [], true],
    ['silence for 10 min', { rule: 'silent', hours: 1 }, { silent: true, lastSeen: at(NOW - HOUR / 6) }, [], false],
    [
      'no event for 2 h of a collar that is heard',
      { rule: 'silent', hours: 1 },
      { lastSeen: at(NOW - 2 * HOUR) },
      [],
      false,
    ],
    ['a low battery', { rule: 'battery' }, { batteryLow: true }, [], true],
    ['a full battery', { rule: 'battery' }, {}, [], false],
    ['a low battery of another cat', { rule: 'battery', cat: 'Otto' }, { batteryLow: true }, [], false],
    ['a low battery of the named cat', { rule: 'battery', cat: 'mia' }, { batteryLow: true }, [], true],
  ])('%s', (_what, rule, cat, events, met) => {
    const step = applyRules(rules(rule), noMemory, { cat: { ...mia, ...cat }, events, nowMs: NOW });
    expect(step.raised).toHaveLength(met ? 1 : 0);
  });

  test('a rule of one cat stands in the place of those of its kind for all, and of no others', () => {
    const given = rules(
      { rule: 'still', hours: 12 },
      { rule: 'still', hours: 24 },
      { rule: 'still', hours: 48, cat: 'MIA' },
      { rule: 'battery' },
    );
    const raised = (hours: number, name: string) => {
      const cat = { ...mia, name, batteryLow: true, locationSince: at(NOW - hours * HOUR) };
      return applyRules(given, noMemory, { cat, events: [], nowMs: NOW }).raised.map(({ key }) => key);
    };
    expect([raised(30, 'Otto'), raised(30, 'Mia'), raised(50, 'Mia')]).toEqual([
      ['still 12', 'still 24', 'battery'],
      ['battery'],
      ['still 48', 'battery'],
    ]);
  });

  test('seconds of shaking count over several checks, and are told', () => {
    const given = rules({ rule: 'shaking', meows: 20, seconds: 60, withinMinutes: 60 });
    const first = applyRules(given, noMemory, { cat: mia, events: [shake(NOW, 50_000)], nowMs: NOW });
    const later = NOW + HOUR / 2;
    const second = applyRules(given, first.memory, { cat: mia, events: [shake(later, 12_600)], nowMs: later });
    const text = 'shaking too long: 63 s in 60 min';
    expect(second.raised).toEqual([{ rule: 'shaking', key: 'shaking 20,60s/60', since: at(later), text }]);
    const over = applyRules(given, second.memory, { cat: mia, events: [], nowMs: NOW + HOUR });
    expect(over.cleared).toHaveLength(1);
  });

  test('an alert is raised once and cleared once', () => {
    const given = rules({ rule: 'battery' });
    let memory: RuleMemory = noMemory;
    const log: string[] = [];
    for (const [i, batteryLow] of [false, true, true, true, false, false, true].entries()) {
      const step = applyRules(given, memory, { cat: { ...mia, batteryLow }, events: [], nowMs: NOW + i });
      memory = step.memory;
      log.push(...step.raised.map(() => `raised ${i}`), ...step.cleared.map(() => `cleared ${i}`));
    }
    expect(log).toEqual(['raised 1', 'cleared 4', 'raised 6']);
  });

  test('shakes of several checks count together', () => {
    const given = rules({ rule: 'shaking', meows: 15, withinMinutes: 10 });
    const first = applyRules(given, noMemory, {
      cat: mia,
      events: Array.from({ length: 10 }, (_, i) => meow(NOW - i)),
      nowMs: NOW,
    });
    expect(first.raised).toEqual([]);
    const later = NOW + 60_000;
    const second = applyRules(given, first.memory, {
      cat: mia,
      events: Array.from({ length: 5 }, (_, i) => meow(later - i)),
      nowMs: later,
    });
    expect(second.raised).toEqual([
      { rule: 'shaking', key: 'shaking 15/10', since: at(later), text: 'shaking too much: 15 times in 10 min' },
    ]);
  });

  test('a clock that runs ahead keeps no rule from being met', () => {
    const given = rules({ rule: 'still', hours: 12 });
    const ahead = applyRules(given, noMemory, { cat: mia, events: [meow(NOW + 100 * HOUR)], nowMs: NOW });
    expect(applyRules(given, ahead.memory, { cat: mia, events: [], nowMs: NOW + 13 * HOUR }).raised).toHaveLength(1);
  });

  test('no more than MAX_KEPT_MEOWS times are kept', () => {
    const events = Array.from({ length: MAX_KEPT_MEOWS + 50 }, (_, i) => meow(NOW - i));
    const { memory } = applyRules(rules({ rule: 'battery' }), noMemory, { cat: mia, events, nowMs: NOW });
    expect(memory.meowsMs).toHaveLength(MAX_KEPT_MEOWS);
    expect(memory.meowsMs.at(-1)).toBe(NOW);
    const ends = events.map((_, i) => shake(NOW - i, 1));
    const { shakes } = applyRules(rules({ rule: 'battery' }), noMemory, { cat: mia, events: ends, nowMs: NOW }).memory;
    expect([shakes.length, shakes.at(-1)]).toEqual([MAX_KEPT_MEOWS, { endMs: NOW, durationMs: 1 }]);
  });
});
