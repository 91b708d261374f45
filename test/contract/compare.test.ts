import { expect, test } from 'vitest';
import {
  COMPARE_COLUMNS,
  type Compared,
  decodeCompareAnswer,
  encodeCompared,
  MAX_COMPARE_CHANGES,
  MAX_COMPARE_MARKS,
  parseCompareQuestion,
} from '../../src/contract/compare.ts';
import { ONE_MORE } from './compared.ts';

const wired = (compared: object) => JSON.parse(JSON.stringify({ working: false, ...compared }));

test('what is told is read as it was, and at its largest fits into an answer', () => {
  const shake = [86_399_123, 86_399_999] as const;
  const largest: Compared = {
    ...ONE_MORE,
    levels: Array.from({ length: COMPARE_COLUMNS }, () => 12.345),
    past: Array.from({ length: MAX_COMPARE_MARKS }, () => shake),
    anew: Array.from({ length: MAX_COMPARE_MARKS }, () => [1, null] as const),
    changes: Array.from(
      { length: MAX_COMPARE_CHANGES },
      () => ({ what: 'moved', before: shake, after: shake }) as const,
    ),
  };
  for (const compared of [ONE_MORE, largest]) {
    const told = encodeCompared(compared);
    expect(decodeCompareAnswer(wired(told))).toEqual({ working: false, compared });
    expect(JSON.stringify(told).length).toBeLessThan(48 * 1024);
  }
  expect(decodeCompareAnswer({ working: true })).toEqual({ working: true });
});

test.each([
  [{ collar: 7 }],
  [{ fromMs: '1' }],
  [{ levels: new Array(COMPARE_COLUMNS + 1).fill(0) }],
  [{ levels: [Number.POSITIVE_INFINITY] }],
  [{ past: [[1]] }],
  [{ anew: new Array(MAX_COMPARE_MARKS + 1).fill([1, 2]) }],
  [{ changes: [['added', [1, 2], null]] }],
  [{ changes: [['removed', null, [1, 2]]] }],
  [{ changes: [['moved', [1, 2], null]] }],
  [{ changes: [['eaten', [1, 2], [1, 2]]] }],
  [{ changes: {} }],
  [{ decidedBy: [1] }],
  [{ own: { forest: 1 } }],
  [{ added: null }],
])('an agent that says %j is not believed', (wrong) => {
  expect(decodeCompareAnswer(wired({ ...encodeCompared(ONE_MORE), ...wrong }))).toBeNull();
});

test('a question is read, or told what is wrong with it', () => {
  const question = { collar: 'C1', hours: 24, shake: { sensitivity: 5, quietMs: 100, edgesOn: 32 } };
  expect(parseCompareQuestion({ ...question, transaction: 't' })).toEqual(question);
  const wrong = (more: object) => parseCompareQuestion({ ...question, ...more });
  expect(wrong({ collar: '' })).toBe('collar must be the name of one');
  expect(wrong({ hours: 0 })).toBe('hours must be a number up to 24');
  expect(wrong({ shake: [] })).toBe('shake must be an object of settings');
  expect(wrong({ shake: { sensitivity: 5.1 } })).toBe('shake.sensitivity must be a number from 0.2 to 5');
  expect(wrong({ shake: { quietMs: 100.5 } })).toBe('shake.quietMs must be a whole number from 100 to 30000');
  expect(wrong({ shake: { levelOff: 1 } })).toMatch(/^shake has no "levelOff": sensitivity, /);
});
