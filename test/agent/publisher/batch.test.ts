import { describe, expect, test } from 'vitest';
import { fittingEvents, followingEvents } from '../../../src/agent/publisher/batch.ts';
import { encodeBatch, encodeEvent } from '../../../src/contract/envelope.ts';
import type { StoredEvent } from '../../../src/contract/event.ts';
import { meow } from '../../contract/arbitrary.ts';

const at = (...seqs: number[]): StoredEvent[] => seqs.map((seq) => ({ ...meow, seq }));

describe('what follows each other', () => {
  test.each([
    [[], 0],
    [[7], 1],
    [[7, 8, 9], 3],
    [[7, 8, 10, 11], 2],
    [[7, 9], 1],
  ])('of %j are the first %d', (seqs, count) => {
    expect(followingEvents(at(...seqs))).toBe(count);
  });
});

describe('what fits', () => {
  const events = at(1, 2, 3);
  const [one = 0] = events.map((event) => Buffer.byteLength(encodeEvent('porch', event)) + 1);

  test.each([
    [0, 0],
    [320 + one - 1, 0],
    [320 + one, 1],
    [320 + 3 * one - 1, 2],
    [320 + 3 * one, 3],
    [1e9, 3],
  ])('into %d bytes are %d events', (bytes, count) => {
    expect(fittingEvents('porch', events, bytes)).toEqual(
      events.slice(0, count).map((event) => encodeEvent('porch', event)),
    );
  });

  test('has the texts of its batch', () => {
    const batch = { agent: 'porch', events, chain: Buffer.alloc(32) };
    expect(encodeBatch(batch, fittingEvents('porch', events, 1e9))).toBe(encodeBatch(batch));
  });

  test('leaves room for what a signed batch has besides', () => {
    const proof = { before: Buffer.alloc(32), signature: Buffer.alloc(64), keyId: '0123456789abcdef' };
    const batch = { agent: 'porch', events: at(1), chain: Buffer.alloc(32), proof };
    expect(Buffer.byteLength(encodeBatch(batch))).toBeLessThanOrEqual(320 + one);
  });
});
