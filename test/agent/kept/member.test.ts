import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_BLOCK_BYTES, packMember, unpackMember } from '../../../src/agent/kept/member.ts';

async function pack(text: string): Promise<Buffer> {
  const member = await packMember(text);
  if (member === null) throw new Error('it does not fit');
  return member;
}

/** Texts of a file, up to what is no member. */
function texts(file: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at < file.length; ) {
    const member = unpackMember(file, at);
    if (member === null) break;
    found.push(member.text);
    at = member.next;
  }
  return found;
}

test('any texts come back, one behind the other', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 5 }), async (blocks) => {
      expect(texts(Buffer.concat(await Promise.all(blocks.map(pack))))).toEqual(blocks);
    }),
    { numRuns: 50 },
  );
});

test('zcat reads it', async () => {
  const file = Buffer.concat([await pack('one\n'), await pack(''), await pack('two\n')]);
  expect(execFileSync('zcat', { input: file, encoding: 'utf8' })).toBe('one\ntwo\n');
});

test('a file that is cut anywhere gives all whole blocks before', async () => {
  const [one, two] = [await pack('one '.repeat(50)), await pack('two '.repeat(50))];
  const file = Buffer.concat([one, two]);
  for (let cut = 0; cut < file.length; cut += 1) {
    expect(texts(file.subarray(0, cut)), `cut at ${cut}`).toHaveLength(cut < one.length ? 0 : 1);
  }
});

test('a bit that is turned anywhere is noticed, or harmless', async () => {
  const text = 'readings '.repeat(40);
  const member = await pack(text);
  for (let bit = 0; bit < member.length * 8; bit += 1) {
    const turned = Buffer.from(member);
    turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const read = unpackMember(turned, 0);
    expect(read === null || read.text === text, `bit ${bit}`).toBe(true);
  }
});

test('bytes of anything else are no member', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(unpackMember(Buffer.from(bytes), 0)).toBeNull();
    }),
  );
});

test('what is too large is refused, packed or not', async () => {
  expect(await packMember('x'.repeat(MAX_BLOCK_BYTES))).not.toBeNull();
  expect(await packMember('x'.repeat(MAX_BLOCK_BYTES + 1))).toBeNull();
  expect(await packMember(randomBytes(70_000).toString('base64'))).toBeNull();
});
