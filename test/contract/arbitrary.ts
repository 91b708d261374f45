/** Events as people and machines may write them, for properties. */
import fc from 'fast-check';
import type { StoredEvent } from '../../src/contract/event.ts';

export const EPOCH = '01a20867-068a-70da-b9ee-759f41bde6a8';

/** What `data` may hold: finite numbers that survive JSON, and no integer-like keys. */
const value = fc.oneof(
  fc.string(),
  fc.boolean(),
  fc.constant(null),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (Object.is(n, -0) ? 0 : n)),
);
const key = fc.string({ minLength: 1, maxLength: 12 }).filter((text) => !/^\d+$/.test(text));

export const anyEvent: fc.Arbitrary<Omit<StoredEvent, 'seq'>> = fc.record({
  epoch: fc.constant(EPOCH),
  type: fc.oneof(fc.constant('collard.meow.ended'), fc.string({ minLength: 1, maxLength: 128 })),
  version: fc.integer({ min: 1, max: 999_999 }),
  subject: fc.option(fc.string({ maxLength: 256 })),
  time: fc
    .date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true })
    .map((date) => date.toISOString()),
  clock: fc.constantFrom('synced', 'unsynced'),
  boot: fc.option(fc.string({ maxLength: 64 })),
  monoMs: fc.option(fc.integer({ min: 0 })),
  data: fc.dictionary(key, value, { maxKeys: 6, noNullPrototype: true }).map((data) => JSON.stringify(data)),
});

/** 1 to 20 events of one epoch with consecutive seqs. */
export const anyRun: fc.Arbitrary<StoredEvent[]> = fc
  .tuple(fc.integer({ min: 1, max: 1_000_000 }), fc.array(anyEvent, { minLength: 1, maxLength: 20 }))
  .map(([first, events]) => events.map((event, i) => ({ ...event, seq: first + i })));

export const meow: StoredEvent = {
  epoch: EPOCH,
  seq: 1,
  type: 'collard.meow.ended',
  version: 1,
  subject: 'collar/C0FFEE01',
  time: '2026-11-23T06:14:09.842Z',
  clock: 'synced',
  boot: null,
  monoMs: null,
  data: '{"durationMs":430,"peakG":1.84,"readings":17,"place":"kitchen"}',
};
