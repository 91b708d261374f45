import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chainHex, chainOver, chainStart } from '../../src/contract/chain.ts';
import { decodeBatch, encodeBatch } from '../../src/contract/envelope.ts';
import { sortBatch } from '../../src/contract/sorted-batch.ts';
import { epochId, meowing } from '../central/store/events.ts';

const porch = meowing('porch', epochId(1), 12);
type Item = Record<string, unknown>;

/** Seqs 3..12, with some items changed. */
function batchOf(changes: Readonly<Record<number, (item: Item) => unknown>>): Uint8Array {
  const items = JSON.parse(encodeBatch(porch.batch(3, 12))) as Item[];
  return Buffer.from(JSON.stringify(items.map((item, i) => changes[i + 3]?.(item) ?? item)));
}

function sorted(payload: Uint8Array) {
  const result = sortBatch(payload);
  if (!result.ok) throw new Error(result.reason);
  const { batch } = result;
  return { ...batch, seqs: batch.events.map(({ seq }) => seq), badSeqs: batch.bad.map(({ seq }) => seq) };
}

const bad: readonly (readonly [string, (item: Item) => unknown, string])[] = [
  ['no object', () => 7, 'not an object'],
  ['null', () => 'null', 'not an object'],
  ['no number', ({ seq: _, ...item }) => item, 'seq is not a whole number from 1'],
  ['no epoch', (item) => ({ ...item, epoch: 'x' }), 'epoch is not a UUID'],
  ['an id of another', (item) => ({ ...item, id: `${epochId(1)}/99` }), 'id is not epoch/seq'],
  ['no time', (item) => ({ ...item, time: 'yesterday' }), 'time is not RFC 3339'],
  ['data too long', (item) => ({ ...item, data: { text: 'x'.repeat(65_536) } }), 'is too long'],
  ['no source', (item) => ({ ...item, source: '/collard/agent/' }), 'source is not one agent'],
];

describe('a batch with bad items', () => {
  test('that has none is as it was', () => {
    const payload = Buffer.from(encodeBatch(porch.batch(3, 12)));
    const decoded = decodeBatch(payload);
    expect(decoded.ok && sortBatch(payload)).toEqual({
      ok: true,
      batch: { ...(decoded.ok ? decoded.batch : {}), bad: [], chained: porch.events.slice(2) },
    });
  });

  test.each(bad)('%s: the others are read, and it has its number', (_name, change, reason) => {
    for (const seq of [3, 8, 12]) {
      const { agent, seqs, ...batch } = sorted(batchOf({ [seq]: change }));
      expect(agent).toBe('porch');
      expect(seqs).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12].filter((one) => one !== seq));
      expect(batch.bad).toEqual([
        { epoch: epochId(1), seq, reason: expect.stringContaining(reason), text: expect.any(String) },
      ]);
    }
  });

  test('is no batch at all where its gzip is broken', () => {
    const packed = gzipSync(encodeBatch(porch.batch(3, 12)));
    expect(sortBatch(packed)).toMatchObject({ ok: true, batch: { chained: porch.events.slice(2) } });
    expect(sortBatch(packed.subarray(0, -5))).toEqual({ ok: false, reason: expect.stringContaining('broken gzip') });
  });

  test('keeps the chain of its end, also where the last item is bad', () => {
    const noTime = (item: Item) => ({ ...item, time: 'x' });
    for (const payload of [batchOf({ 5: noTime }), batchOf({ 12: noTime })]) {
      expect(chainHex(sorted(payload).chain ?? new Uint8Array())).toBe(chainHex(porch.chain(12)));
    }
    expect(sorted(batchOf({ 12: () => 7 })).chain).toBeNull();
  });

  test('is hashed as its agent hashed it where the bad item can be read so far', () => {
    const writer = meowing('porch', epochId(2), 4);
    const event = writer.events[1];
    if (event === undefined) throw new Error('there is no event');
    // An agent of ours that would write a time that is none.
    const events = writer.events.map((one) => (one === event ? { ...one, time: 'yesterday' } : one));
    const chain = chainOver(chainStart('porch', epochId(2)), events);
    const { chained, badSeqs } = sorted(Buffer.from(encodeBatch({ agent: 'porch', events, chain })));
    expect(badSeqs).toEqual([2]);
    expect(chainHex(chainOver(chainStart('porch', epochId(2)), chained ?? []))).toBe(chainHex(chain));
    expect(sorted(batchOf({ 5: () => [] })).chained).toBeNull();
  });

  test('with an item that is spoilt only outside of what is hashed is not hashed: others may have done it', () => {
    const [source, id] = [{ source: '/collard/agent/shed' }, { id: `${epochId(1)}/99` }];
    for (const change of [{ ...source, seq: 'x' }, id, { specversion: '2.0' }]) {
      const { chained, badSeqs } = sorted(batchOf({ 5: (item) => ({ ...item, ...change }) }));
      expect([chained, badSeqs]).toEqual([null, [5]]);
    }
    const { chained } = sorted(batchOf({ 5: (item) => ({ ...item, clock: 'wrong' }) }));
    expect(chained?.map(({ seq, clock }) => [seq, clock]).slice(1, 4)).toEqual([
      [4, 'synced'],
      [5, 'wrong'],
      [6, 'synced'],
    ]);
  });

  test('whose good items disagree has no frame, whatever else is bad', () => {
    const noTime = (item: Item) => ({ ...item, time: 'x' });
    const other = (item: Item) => ({ ...item, source: '/collard/agent/shed' });
    const moved = (item: Item) => ({ ...item, seq: 20, id: `${epochId(1)}/20` });
    const epoch = (item: Item) => ({ ...item, epoch: epochId(2), id: `${epochId(2)}/8` });
    for (const change of [other, moved, epoch]) {
      expect(sortBatch(batchOf({ 5: noTime, 8: change }))).toMatchObject({ ok: false });
    }
  });

  test('that would begin before the first number has no frame', () => {
    const [item] = JSON.parse(encodeBatch(porch.batch(1, 1))) as Item[];
    expect(sortBatch(Buffer.from(JSON.stringify([null, item])))).toMatchObject({ ok: false });
    expect(sorted(Buffer.from(JSON.stringify([item, null]))).badSeqs).toEqual([2]);
  });

  test.each([
    ['urn:collard:meow.started:12', 12],
    ['urn:collard:7:meow', null],
    [['urn:collard:meow.started:1'], null],
  ])('of the schema %j has the version %j', (dataschema, version) => {
    const { chained } = sorted(batchOf({ 5: (item) => ({ ...item, dataschema, clock: 'wrong' }) }));
    expect(chained?.[2]?.version ?? null).toBe(version);
  });

  test('keeps the proof of its end', () => {
    const proof = { before: Buffer.alloc(32, 7), signature: Buffer.alloc(64, 9), keyId: '0123456789abcdef' };
    const items = JSON.parse(encodeBatch({ ...porch.batch(3, 12), proof })) as Item[];
    const spoilt = items.map((item, i) => (i === 2 ? { ...item, time: 'x' } : item));
    expect(sorted(Buffer.from(JSON.stringify(spoilt))).proof).toEqual(proof);
    expect(sorted(batchOf({ 5: (item) => ({ ...item, time: 'x' }) }))).not.toHaveProperty('proof');
  });

  test.each<readonly [string, Item]>([
    ['type', { type: 7 }],
    ['time', { time: null }],
    ['clock', { clock: 1 }],
    ['subject', { subject: {} }],
    ['boot', { boot: 5 }],
    ['monoMs', { monoMs: '12' }],
    ['dataschema', { dataschema: 'urn:x' }],
    ['data', { data: [] }],
    ['data', { data: null }],
    ['data', { data: 'text' }],
  ])('cannot be hashed where a %s could be no part of an event: %j', (_name, change) => {
    expect(sorted(batchOf({ 5: (item) => ({ ...item, ...change }) })).chained).toBeNull();
  });

  test('with one item alone has its number from that item, if it tells one', () => {
    const [item] = JSON.parse(encodeBatch(porch.batch(7, 7))) as Item[];
    expect(sorted(Buffer.from(JSON.stringify([{ ...item, clock: 'wrong' }]))).badSeqs).toEqual([7]);
    expect(sortBatch(Buffer.from(JSON.stringify([{ ...item, seq: 'x' }])))).toMatchObject({ ok: false });
  });

  test('whose items disagree on their numbers, or that has no chain, has no frame', () => {
    const moved = (item: Item) => ({ ...item, seq: 20, id: `${epochId(1)}/20` });
    const other = (item: Item) => ({ ...item, source: '/collard/agent/shed' });
    const epoch = (item: Item) => ({ ...item, epoch: epochId(2), id: `${epochId(2)}/8` });
    const noChain = ({ chain: _, ...item }: Item) => item;
    for (const payload of [
      batchOf({ 8: moved }),
      batchOf({ 8: other }),
      batchOf({ 8: epoch }),
      batchOf({ 12: noChain }),
      Buffer.from('{}'),
      Buffer.from('[]'),
      Buffer.from('[7,8]'),
    ]) {
      expect(sortBatch(payload)).toMatchObject({ ok: false, reason: expect.any(String) });
    }
  });

  test('that would go on beyond the numbers there are has no frame', () => {
    const [item] = JSON.parse(encodeBatch(porch.batch(7, 7))) as Item[];
    const seq = Number.MAX_SAFE_INTEGER;
    const last = { ...item, seq, id: `${epochId(1)}/${seq}` };
    expect(sortBatch(Buffer.from(JSON.stringify([last, null])))).toMatchObject({ ok: false });
    expect(sorted(Buffer.from(JSON.stringify([null, last]))).badSeqs).toEqual([seq - 1]);
  });

  test('never throws, and what it lets through is what decodeBatch would', () => {
    const items = JSON.parse(encodeBatch(porch.batch(3, 12))) as unknown[];
    const broken = fc.array(fc.tuple(fc.nat({ max: 9 }), fc.jsonValue()), { maxLength: 4 }).map((changes) => {
      const copy = [...items];
      for (const [at, value] of changes) copy[at] = value;
      return copy;
    });
    fc.assert(
      fc.property(broken, (list) => {
        const result = sortBatch(Buffer.from(JSON.stringify(list)));
        if (!result.ok) return;
        const { events, bad: rest } = result.batch;
        const all = [...events, ...rest].map(({ seq }) => seq).sort((a, b) => a - b);
        expect(all).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        for (const event of events) expect(event).toEqual(porch.events[event.seq - 1]);
      }),
      { numRuns: 2_000 },
    );
  });
});
