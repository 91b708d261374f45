import { describe, expect, test } from 'vitest';
import { encodeCloudEvent, encodeEvent } from '../../src/contract/envelope.ts';
import { type EventType, newEvent, type StoredEvent } from '../../src/contract/event.ts';
import { faultOf } from './cloud-events.ts';
import { readGolden } from './golden.ts';

const epoch = '01a20867-068a-70da-b9ee-759f41bde6a8';
const when = { time: '2026-11-23T06:14:09.842Z', clock: 'synced', boot: null, monoMs: null } as const;
const meow: StoredEvent = { epoch, seq: 7, ...newEvent('meow.started', 'collar/C0FFEE01', { level: 1 }, when) };
const valid = encodeCloudEvent('porch', meow);

describe('a CloudEvent', () => {
  test.each(readGolden())('of $type conforms', ({ type, version, data }) => {
    const event: StoredEvent = { ...meow, type: type as EventType, version, data };
    expect(faultOf(encodeCloudEvent('porch', event))).toBeNull();
  });

  test('of an unsynced clock conforms, and keeps the milliseconds to the last digit', () => {
    const event: StoredEvent = { ...meow, clock: 'unsynced', boot: 'b7c1', monoMs: 9_123_456_789.25 };
    const text = encodeCloudEvent('porch', event);
    expect(faultOf(text)).toBeNull();
    expect(JSON.parse(text)).toMatchObject({ boot: 'b7c1', monoms: '9123456789.25' });
    // What agents send does not: it was fixed before.
    expect(faultOf(encodeEvent('porch', event))).toBe('name of monoMs');
  });

  test.each<[string, Partial<StoredEvent>]>([
    ['a type that is no part of a URI', { type: 'my type "é"' }],
    ['an empty subject', { subject: '' }],
    ['data that look like an attribute', { data: '{"dataschema":"urn:my type:1","monoMs":1}', type: 'my type' }],
  ])('of a stranger conforms: %s', (_, change) => {
    const text = encodeCloudEvent('porch', { ...meow, ...change });
    expect(faultOf(text)).toBeNull();
    expect(JSON.parse(text)).toMatchObject({
      type: change.type ?? meow.type,
      data: JSON.parse(change.data ?? meow.data),
    });
  });

  test('is what agents send where nothing of it would not conform', () => {
    expect(valid).toBe(encodeEvent('porch', meow));
  });
});

describe('what does not conform', () => {
  test.each<[string, object]>([
    ['no id', { id: '' }],
    ['no source', { source: undefined }],
    ['no type', { type: 7 }],
    ['specversion', { specversion: '0.3' }],
    ['name of partitionKey', { partitionKey: 'a' }],
    ['name of a_b', { a_b: 'a' }],
    ['length of attributenamesthatarelong', { attributenamesthatarelong: 1 }],
    ['seq: no integer of 32 bits', { seq: 1.5 }],
    ['seq: no integer of 32 bits', { seq: 2 ** 31 }],
    ['boot: no type of CloudEvents', { boot: null }],
    ['boot: no type of CloudEvents', { boot: { a: 1 } }],
    ['boot: an empty text', { boot: '' }],
    ['boot: characters that no text may have', { boot: 'a\u0000' }],
    ['time', { time: '2026-11-23 06:14:09' }],
    ['time', { time: '2026-13-23T06:14:09Z' }],
    ['dataschema is no URI', { dataschema: 'urn:my type:1' }],
    ['source is no URI reference', { source: '/my agent' }],
  ])('is found: %s', (fault, change) => {
    expect(faultOf(JSON.stringify({ ...JSON.parse(valid), ...change }))).toBe(fault);
  });
});
