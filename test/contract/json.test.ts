import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBatch } from '../../src/contract/envelope.ts';
import { MAX_DEPTH, parseJson } from '../../src/contract/json.ts';
import { decodeState, parseObject } from '../../src/contract/message.ts';
import { sortBatch } from '../../src/contract/sorted-batch.ts';
import { meow } from './arbitrary.ts';

const nested = (levels: number, [open, close]: readonly [string, string] = ['{"a":', '}']) =>
  Buffer.from(`${open.repeat(levels - 1)}${open === '[' ? '[]' : '{}'}${close.repeat(levels - 1)}`);

describe('JSON of strangers', () => {
  test('is what JSON.parse makes of it', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        expect(parseJson(Buffer.from(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  test.each(['', '{', 'NaN', "{'a':1}"])('is not %j', (text) => {
    expect(parseJson(Buffer.from(text))).toBeUndefined();
  });

  test('is none where it is no UTF-8', () => {
    expect(parseJson(Uint8Array.of(0x22, 0xff, 0x22))).toBeUndefined();
  });

  test.each<readonly [string, string]>([
    ['{"a":', '}'],
    ['[', ']'],
    ['{"__proto__":', '}'],
  ])('may be nested so deep, and no deeper: %s', (...pair) => {
    expect(parseJson(nested(MAX_DEPTH, pair))).toBeDefined();
    expect(parseJson(nested(MAX_DEPTH + 1, pair))).toBeUndefined();
  });

  test.each<readonly [string, unknown]>([
    ['beside each other', Array.from({ length: 3 * MAX_DEPTH }, () => [{}])],
    [
      'in texts',
      { '[{[{': '[{'.repeat(MAX_DEPTH), a: `\\" ${'['.repeat(MAX_DEPTH)}\\`, b: [`"${'{'.repeat(MAX_DEPTH)}`] },
    ],
  ])('may have many brackets %s', (_where, value) => {
    expect(parseJson(Buffer.from(JSON.stringify(value)))).toEqual(value);
  });

  test.each(['"', '\\', '\\"'])('is refused where it is deep after a text that ends with %j', (end) => {
    const deep = JSON.parse(nested(MAX_DEPTH).toString());
    expect(parseJson(Buffer.from(JSON.stringify([`[${end}`, deep])))).toBeUndefined();
    expect(parseJson(Buffer.from(JSON.stringify([`[${end}`, deep.a])))).toBeDefined();
  });

  test.each([5_000, 40_000])('nested %d deep is refused wherever it comes', (levels) => {
    const deep = nested(levels).toString();
    const item = { ...meow, specversion: '1.0', id: `${meow.epoch}/1`, source: '/collard/agent/porch' };
    const batch = (more: string) => Buffer.from(`[${JSON.stringify(item).slice(0, -1)},${more}:${deep}}]`);
    for (const payload of [batch('"data"'), batch('"more"')]) {
      expect(decodeBatch(payload)).toMatchObject({ ok: false });
      expect(sortBatch(payload)).toMatchObject({ ok: false });
    }
    expect(parseObject(Buffer.from(`{"collars":${deep}}`))).toBeNull();
    expect(decodeState(Buffer.from(`{"state":"online","session":1,"more":${deep}}`))).toBeNull();
  });
});
