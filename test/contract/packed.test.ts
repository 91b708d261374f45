import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeBatch, MAX_BATCH_BYTES } from '../../src/contract/envelope.ts';
import { MIN_PACKED_BYTES, pack, unpack } from '../../src/contract/packed.ts';
import { sortBatch } from '../../src/contract/sorted-batch.ts';
import { anyRun } from './arbitrary.ts';

const bytesOf = (packed: string | Uint8Array) => Buffer.from(packed as string);

describe('a batch as gzip', () => {
  test('is the same batch', () => {
    fc.assert(
      fc.property(anyRun, (events) => {
        const text = encodeBatch({ agent: 'porch', events, chain: new Uint8Array(32) });
        expect(sortBatch(bytesOf(pack(text)))).toEqual(sortBatch(Buffer.from(text)));
      }),
    );
  });

  test('stays as it is where it is short', () => {
    const [short, long] = ['x'.repeat(MIN_PACKED_BYTES - 1), 'x'.repeat(MIN_PACKED_BYTES)];
    expect(pack(short)).toBe(short);
    expect(bytesOf(pack(long)).length).toBeLessThan(100);
  });

  test('that is broken, cut, or larger than a batch may be is told as such', () => {
    const packed = bytesOf(pack('['.repeat(2_000)));
    const bomb = gzipSync(Buffer.alloc(4 * MAX_BATCH_BYTES + 1, ' '));
    for (const bytes of [packed.subarray(0, 20), Buffer.from([0x1f, 0x8b]), bomb]) {
      expect(unpack(bytes)).toBeNull();
      expect(sortBatch(bytes)).toEqual({ ok: false, reason: expect.stringContaining('gzip') });
    }
    expect(unpack(gzipSync(Buffer.alloc(4 * MAX_BATCH_BYTES, ' ')))?.length).toBe(4 * MAX_BATCH_BYTES);
  });

  test('is told from any other bytes by its first two', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        fc.pre(bytes[0] !== 0x1f);
        expect(unpack(bytes)).toBe(bytes);
      }),
    );
  });
});
