import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chainOver, chainStart } from '../../src/contract/chain.ts';
import {
  decodeBatch,
  decodeEvent,
  encodeBatch,
  encodeEvent,
  MAX_BATCH_BYTES,
  MAX_BATCH_EVENTS,
  MAX_DATA_BYTES,
  placeOf,
  sourceOf,
} from '../../src/contract/envelope.ts';
import type { StoredEvent } from '../../src/contract/event.ts';
import { anyRun, EPOCH, meow } from './arbitrary.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const batchOf = (events: readonly StoredEvent[], agent = 'porch') => ({
  agent,
  events,
  chain: chainOver(chainStart(agent, EPOCH), events),
});
const runOf = (count: number) => Array.from({ length: count }, (_, i) => ({ ...meow, seq: i + 1 }));
/** The batch of one meow as plain objects, with some fields changed. */
const altered = (change: Record<string, unknown>) => {
  const [event] = JSON.parse(encodeBatch(batchOf([meow]))) as Record<string, unknown>[];
  return bytes(JSON.stringify([{ ...event, ...change }]));
};

describe('an event on the wire', () => {
  test('is the CloudEvent of the contract', () => {
    expect(JSON.parse(encodeEvent('porch', meow))).toEqual({
      specversion: '1.0',
      id: `${EPOCH}/1`,
      source: '/collard/agent/porch',
      type: 'collard.meow.ended',
      subject: 'collar/C0FFEE01',
      time: '2026-11-23T06:14:09.842Z',
      dataschema: 'urn:collard:meow.ended:1',
      epoch: EPOCH,
      seq: 1,
      clock: 'synced',
      data: { durationMs: 430, peakG: 1.84, readings: 17, place: 'kitchen' },
    });
  });

  test('carries boot and monoMs only where it has them', () => {
    const unsynced: StoredEvent = { ...meow, clock: 'unsynced', boot: 'b7c1', monoMs: 12.5 };
    expect(JSON.parse(encodeEvent('porch', unsynced))).toMatchObject({ boot: 'b7c1', monoMs: 12.5 });
    expect(decodeEvent(JSON.parse(encodeEvent('porch', unsynced)))).toEqual(unsynced);
  });
});

describe('a batch', () => {
  test('comes back as it went, whatever its events hold', () => {
    fc.assert(
      fc.property(anyRun, (events) => {
        const batch = batchOf(events);
        expect(decodeBatch(bytes(encodeBatch(batch)))).toEqual({ ok: true, batch });
      }),
    );
  });

  test('comes back with its proof, which its last event carries only', () => {
    const proof = { before: Buffer.alloc(32, 7), signature: Buffer.alloc(64, 9), keyId: '0123456789abcdef' };
    const batch = { ...batchOf(runOf(3)), proof };
    const items = JSON.parse(encodeBatch(batch)) as Record<string, unknown>[];
    expect(items.map(({ keyid }) => keyid)).toEqual([undefined, undefined, '0123456789abcdef']);
    expect(decodeBatch(bytes(encodeBatch(batch)))).toEqual({ ok: true, batch });
  });

  test('carries the chain on its last event only', () => {
    const items = JSON.parse(encodeBatch(batchOf(runOf(3)))) as { chain?: string }[];
    expect(items.map(({ chain }) => chain !== undefined)).toEqual([false, false, true]);
  });

  test('may hold the largest number of events, and not one more', () => {
    expect(decodeBatch(bytes(encodeBatch(batchOf(runOf(MAX_BATCH_EVENTS))))).ok).toBe(true);
    expect(decodeBatch(bytes(encodeBatch(batchOf(runOf(MAX_BATCH_EVENTS + 1)))))).toEqual({
      ok: false,
      reason: '501 events, at most 500 are allowed',
    });
  });

  test('is not even read when it is far too large', () => {
    const result = decodeBatch(new Uint8Array(4 * MAX_BATCH_BYTES + 1).fill(0x20));
    expect(result).toEqual({ ok: false, reason: expect.stringContaining('too large') });
  });

  test.each([
    ['data of the largest size', 'x'.repeat(MAX_DATA_BYTES - '{"a":""}'.length), true],
    ['data one beyond it', 'x'.repeat(MAX_DATA_BYTES - '{"a":""}'.length + 1), false],
  ])('with %s: %#', (_title, a, ok) => {
    expect(decodeBatch(altered({ data: { a } })).ok).toBe(ok);
  });

  test('keeps unknown types, newer versions and further attributes', () => {
    const payload = altered({ type: 'org.example.purr', dataschema: 'urn:org.example.purr:7', traceparent: '00-1' });
    const result = decodeBatch(payload);
    expect(result).toMatchObject({ ok: true, batch: { events: [{ type: 'org.example.purr', version: 7 }] } });
  });

  test.each<[string, Record<string, unknown>]>([
    ['specversion', { specversion: '0.3' }],
    ['epoch', { epoch: 'EPOCH' }],
    ['seq', { seq: 0 }],
    ['seq', { seq: 1.5 }],
    ['seq', { seq: '1' }],
    ['id', { id: `${EPOCH}/2` }],
    ['type', { type: '' }],
    ['type', { type: 'x'.repeat(129) }],
    ['subject', { subject: 5 }],
    ['subject', { subject: 'x'.repeat(257) }],
    ['time', { time: '2026-11-23T06:14:09Z' }],
    ['time', { time: '2026-13-23T06:14:09.842Z' }],
    ['time', { time: 0 }],
    ['dataschema', { dataschema: 'urn:collard:meow.ended' }],
    ['dataschema', { dataschema: 'urn:collard:meow.ended:0' }],
    ['clock', { clock: 'maybe' }],
    ['boot', { boot: 'x'.repeat(65) }],
    ['type', { type: 'collard.\ud800' }],
    ['subject', { subject: 'collar/\udc00' }],
    ['boot', { boot: '\ud83d' }],
    ['monoMs', { monoMs: '12' }],
    ['data', { data: null }],
    ['data', { data: [] }],
    ['source', { source: '/collard/agent/' }],
    ['source', { source: '/collard/agent/a/b' }],
    ['source', { source: `/collard/agent/${'a'.repeat(65)}` }],
    ['chain', { chain: undefined }],
    ['chain', { chain: 'ABCD' }],
  ])('is refused for its %s: %j', (field, change) => {
    expect(decodeBatch(altered(change))).toEqual({ ok: false, reason: expect.stringContaining(field) });
  });

  test.each([
    ['a hole', [runOf(3)[0], runOf(3)[2]]],
    ['a repetition', [meow, meow]],
    ['a step back', [runOf(2)[1], meow]],
    ['another epoch', [meow, { ...meow, seq: 2, epoch: '01a20867-068a-70da-b9ee-759f41bde6a9' }]],
  ])('is refused for %s', (_title, events) => {
    const payload = encodeBatch(batchOf(events.filter((event) => event !== undefined)));
    expect(decodeBatch(bytes(payload))).toEqual({ ok: false, reason: expect.stringContaining('does not follow') });
  });

  test('of two agents is refused', () => {
    const [a] = JSON.parse(encodeBatch(batchOf(runOf(1)))) as unknown[];
    const [, b] = JSON.parse(encodeBatch(batchOf(runOf(2), 'shed'))) as unknown[];
    expect(decodeBatch(bytes(JSON.stringify([a, b])))).toEqual({
      ok: false,
      reason: expect.stringContaining('source'),
    });
  });

  test.each(['', 'null', '{}', '[]', '[null]', '[[]]', '[1]', '"x"', '[{}]', '{"specversion":"1.0"}', '\ufeff[]'])(
    'is not %j',
    (text) => {
      expect(decodeBatch(bytes(text)).ok).toBe(false);
    },
  );

  test('of bytes that are no UTF-8 is refused', () => {
    expect(decodeBatch(Uint8Array.of(0x5b, 0xff, 0x5d))).toMatchObject({ ok: false });
  });

  test('never throws, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (any) => !decodeBatch(any).ok));
    fc.assert(
      fc.property(fc.json(), (text) => {
        decodeBatch(bytes(text));
        decodeBatch(bytes(`[${text}]`));
      }),
    );
    const valid = bytes(encodeBatch(batchOf(runOf(2))));
    fc.assert(
      fc.property(fc.nat(valid.length - 1), fc.nat(255), (at, byte) => {
        decodeBatch(valid.with(at, byte));
      }),
    );
  });

  test('cut anywhere is refused', () => {
    const valid = bytes(encodeBatch(batchOf(runOf(2))));
    for (let end = 0; end < valid.length; end++) expect(decodeBatch(valid.subarray(0, end)).ok).toBe(false);
  });
});

describe('an event at its limits', () => {
  test.each([
    ['type', 'x'.repeat(128)],
    ['subject', 'x'.repeat(256)],
    ['subject', ''],
    ['boot', 'x'.repeat(64)],
    ['monoMs', 0],
    ['seq', Number.MAX_SAFE_INTEGER],
  ])('is taken with a %s of the largest size: %#', (field, value) => {
    const event = { ...meow, [field]: value };
    expect(decodeEvent(JSON.parse(encodeEvent('porch', event)))).toEqual(event);
  });

  test.each<readonly [string, Record<string, unknown>]>([
    ['epoch is not a UUID', { epoch: `x${EPOCH}`, id: `x${EPOCH}/1` }],
    ['epoch is not a UUID', { epoch: `${EPOCH}x`, id: `${EPOCH}x/1` }],
    ['epoch is not a UUID', { epoch: [EPOCH], id: `${EPOCH}/1` }],
    ['seq is not a whole number from 1', { seq: 2 ** 53, id: `${EPOCH}/${2 ** 53}` }],
    ['time is not RFC 3339 in UTC with milliseconds', { time: '+12026-11-23T06:14:09.842Z' }],
    ['time is not RFC 3339 in UTC with milliseconds', { time: '2026-11-23T06:14:09.842Z+01' }],
    ['time is not RFC 3339 in UTC with milliseconds', { time: ['2026-11-23T06:14:09.842Z'] }],
    ['dataschema does not end in :version', { dataschema: ['urn:collard:meow.ended:1'] }],
    ['monoMs is not a number', { monoMs: {} }],
  ])('is refused beyond: %s, %j', (reason, change) => {
    expect(decodeEvent({ ...(JSON.parse(encodeEvent('porch', meow)) as object), ...change })).toBe(reason);
  });
});

describe('where an item stands', () => {
  const item = JSON.parse(encodeEvent('porch', meow)) as Record<string, unknown>;

  test('is told by its epoch, seq and id together', () => {
    expect(placeOf(item)).toEqual({ epoch: EPOCH, seq: 1 });
    expect(placeOf({ epoch: EPOCH, seq: 1, id: `${EPOCH}/1` })).toEqual({ epoch: EPOCH, seq: 1 });
  });

  test.each<readonly [string, unknown]>([
    ['no object', 7],
    ['null', null],
    ['an epoch that is none', { ...item, epoch: 'x', id: 'x/1' }],
    ['an epoch that is no text', { ...item, epoch: [EPOCH] }],
    ['a seq that is text', { ...item, seq: '1' }],
    ['a seq of 0', { ...item, seq: 0, id: `${EPOCH}/0` }],
    ['half a seq', { ...item, seq: 1.5, id: `${EPOCH}/1.5` }],
    ['the id of another', { ...item, id: `${EPOCH}/2` }],
    ['no id', { ...item, id: undefined }],
  ])('is not told by %s', (_title, one) => {
    expect(placeOf(one)).toBeNull();
  });
});

test.each([
  ['/collard/agent/porch', 'porch'],
  [`/collard/agent/${'a'.repeat(64)}`, 'a'.repeat(64)],
  ['x/collard/agent/porch', ''],
  ['/collard/agent/porch/x', ''],
  [['/collard/agent/porch'], ''],
  [undefined, ''],
])('the source %j names the agent "%s"', (source, agent) => {
  expect(sourceOf({ source })).toBe(agent);
});

test.each([
  ['{', 'payload is not JSON in UTF-8, or nested too deeply'],
  ['{}', 'payload is not an array of events'],
  ['[]', 'payload is not an array of events'],
])('the payload %j is told for what it is: %s', (text, reason) => {
  expect(decodeBatch(bytes(text))).toEqual({ ok: false, reason });
});

test('a chain anywhere but at the end is that of no batch', () => {
  const items = JSON.parse(encodeBatch(batchOf(runOf(2)))) as Record<string, unknown>[];
  const moved = [
    { ...items[0], chain: items[1]?.chain },
    { ...items[1], chain: undefined },
  ];
  expect(decodeBatch(bytes(JSON.stringify(moved)))).toEqual({ ok: false, reason: 'the last event carries no chain' });
});

test('an event without a subject goes without one, and a type of others keeps its whole name', () => {
  const event = { ...meow, subject: null, type: 'org.collard.purr' };
  const item = JSON.parse(encodeEvent('porch', event)) as object;
  expect(item).not.toHaveProperty('subject');
  expect(item).toHaveProperty('dataschema', 'urn:org.collard.purr:1');
  expect(decodeEvent(item)).toEqual(event);
});
