import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chainHex, chainStart } from '../../src/contract/chain.ts';
import {
  decodeHeard,
  decodeState,
  decodeStored,
  decodeSync,
  encodeStored,
  encodeSync,
  MAX_HEARD_COLLARS,
  MAX_NEED_RANGES,
  parseObject,
} from '../../src/contract/message.ts';
import { EPOCH } from './arbitrary.ts';

const bytes = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const chain = chainStart('porch', EPOCH);
const sync = { epoch: EPOCH, firstSeq: 3, lastSeq: 9, chain };
const stored = { incarnation: 'i1', epoch: EPOCH, seq: 7, chain, need: [[1, 2] as const, [5, 5] as const] };
const wire = { chain: chainHex(chain) };

describe('sync', () => {
  test('comes back as it went, also of an empty log', () => {
    expect(decodeSync(bytes(encodeSync(sync)))).toEqual(sync);
    const empty = { ...sync, firstSeq: 1, lastSeq: 0 };
    expect(decodeSync(bytes(encodeSync(empty)))).toEqual(empty);
  });

  test.each([
    { epoch: 'x' },
    { firstSeq: -1 },
    { firstSeq: 11 },
    { lastSeq: 1.5 },
    { lastSeq: '9' },
    { chain: 'zz' },
    { chain: null },
  ])('is refused with %j', (change) => {
    expect(decodeSync(bytes({ ...sync, ...wire, ...change }))).toBeNull();
  });
});

describe('stored', () => {
  test('comes back as it went', () => {
    expect(decodeStored(bytes(encodeStored(stored)))).toEqual(stored);
  });

  test('names the batch that it answers, or none', () => {
    for (const batch of [null, { from: 5, to: 6, chain: chainStart('shed', EPOCH) }]) {
      expect(decodeStored(bytes(encodeStored({ ...stored, batch })))).toEqual({ ...stored, batch });
    }
  });

  test.each([
    7,
    {},
    { from: 1, to: 2, chain: 'zz' },
    { from: 0, to: 2, ...wire },
    { from: 3, to: 2, ...wire },
    { from: 1, to: 2.5, ...wire },
    { from: '1', to: 2, ...wire },
  ])('is heard without a batch where that is %j', (batch) => {
    expect(decodeStored(bytes({ ...stored, ...wire, batch }))).toEqual(stored);
  });

  test('needs nothing where it does not say', () => {
    expect(decodeStored(bytes({ ...stored, ...wire, need: undefined }))?.need).toEqual([]);
  });

  test('is read up to the limit of ranges', () => {
    const need = Array.from({ length: MAX_NEED_RANGES + 1 }, (_, i) => [i + 1, i + 1]);
    expect(decodeStored(bytes({ ...stored, ...wire, need }))?.need).toHaveLength(MAX_NEED_RANGES);
  });

  test.each([
    { incarnation: 1 },
    { incarnation: 'i'.repeat(65) },
    { seq: -1 },
    { need: [[2, 1]] },
    { need: [[0, 1]] },
    { need: ['1-2'] },
    { chain: '' },
  ])('is refused with %j', (change) => {
    expect(decodeStored(bytes({ ...stored, ...wire, ...change }))).toBeNull();
  });
});

describe('state', () => {
  test('is read, and a missing version is empty', () => {
    const state = { state: 'online', session: 42, version: '0.1.0' };
    expect(decodeState(bytes(state))).toEqual(state);
    expect(decodeState(bytes({ state: 'offline', session: 1 }))).toEqual({ state: 'offline', session: 1, version: '' });
  });

  test('cuts a version that is too long', () => {
    expect(decodeState(bytes({ state: 'online', session: 1, version: 'x'.repeat(65) }))?.version).toHaveLength(64);
  });

  test.each([{ state: 'away' }, { session: -1 }, { session: '1' }])('is refused with %j', (change) => {
    expect(decodeState(bytes({ state: 'online', session: 1, ...change }))).toBeNull();
  });
});

test('an object is parsed up to its limit', () => {
  const text = JSON.stringify({ a: 'x'.repeat(100) });
  expect(parseObject(bytes(text), text.length)).toEqual({ a: 'x'.repeat(100) });
  expect(parseObject(bytes(text), text.length - 1)).toBeNull();
});

test('bytes of strangers are refused without a throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), fc.json().map(bytes)), (payload) => {
      expect([decodeSync(payload), decodeStored(payload), decodeState(payload)]).toEqual([null, null, null]);
    }),
  );
});

describe('heard collars', () => {
  test('are read from what an agent says, and what is none is left out', () => {
    const lastHeard = '2026-11-23T06:14:09.842Z';
    const good = { collar: 'A', lastHeard, rssiDbm: -61 };
    const bad = [null, 7, 'A', [], {}, { collar: 7, lastHeard }, { collar: '', lastHeard }, { collar: 'A' }];
    const times = ['', 'now', '2026-13-45T00:00:00Z', '9999-12-31T23:59:59-12:00', 1, null].map((time) => ({
      collar: 'B',
      lastHeard: time,
    }));
    const long = { collar: 'x'.repeat(65), lastHeard };
    expect(decodeHeard({ collars: [...bad, good, ...times, long] })).toEqual([{ collar: 'A', lastHeard }]);
    expect(decodeHeard({ collars: [{ collar: 'A', lastHeard: '2026-11-23T07:14:09+01:00' }] })).toEqual([
      { collar: 'A', lastHeard: '2026-11-23T06:14:09.000Z' },
    ]);
    for (const collars of [undefined, null, {}, 'A']) expect(decodeHeard({ collars })).toEqual([]);
  });

  test('are at most so many', () => {
    const lastHeard = '2026-11-23T06:14:09.842Z';
    const collars = Array.from({ length: MAX_HEARD_COLLARS + 1 }, (_, i) => ({ collar: `C${i}`, lastHeard }));
    expect(decodeHeard({ collars })).toHaveLength(MAX_HEARD_COLLARS);
  });
});
