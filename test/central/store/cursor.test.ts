import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCursor, decodeTimePlace, encodeCursor, encodeTimePlace } from '../../../src/central/store/cursor.ts';

describe('cursors', () => {
  it('survive being text, and need no escape in a URL', () => {
    const cursor = fc.uniqueArray(fc.tuple(fc.nat(63), fc.nat()), { selector: ([shard]) => shard, maxLength: 64 });
    fc.assert(
      fc.property(cursor, (entries) => {
        const text = encodeCursor(new Map(entries));
        expect(encodeURIComponent(text)).toBe(text);
        expect(decodeCursor(text)).toEqual(new Map(entries));
      }),
    );
    const place = { time: '2026-11-23T06:14:09.842Z', epochNo: 3, seq: 18_231 };
    expect(encodeURIComponent(encodeTimePlace(place))).toBe(encodeTimePlace(place));
    expect(decodeTimePlace(encodeTimePlace(place))).toEqual(place);
  });

  it('begin with p alone, or with 0', () => {
    expect([decodeCursor('p'), decodeCursor('0')]).toEqual([new Map(), new Map()]);
  });

  it('are refused with a code where they are not ours', () => {
    for (const text of [
      '',
      'x',
      'p1',
      'p1-',
      'p64-1',
      'p1-1.1-2',
      'p1-1.',
      'p-1',
      'p1--1',
      'p1-1e3',
      'p1-9999999999999999',
    ]) {
      expect(() => decodeCursor(text), text).toThrow(expect.objectContaining({ code: 'BAD_CURSOR' }));
    }
    for (const text of ['', 'p', 't2026-11-23.1.1', 't2026-11-23T06-14-09-842Z.1', "t2026-11-23T06-14-09-842Z.1.1'"]) {
      expect(() => decodeTimePlace(text), text).toThrow(expect.objectContaining({ code: 'BAD_CURSOR' }));
    }
  });
});
