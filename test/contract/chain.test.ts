import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chainHex, chainNext, chainOver, chainStart, parseChainHex } from '../../src/contract/chain.ts';
import type { StoredEvent } from '../../src/contract/event.ts';
import { anyRun, EPOCH, meow } from './arbitrary.ts';

/** The event with each bit of each of its texts and numbers changed, one at a time. */
function* bitFlips(event: StoredEvent): Iterable<StoredEvent> {
  for (const [key, value] of Object.entries(event)) {
    if (typeof value === 'number') {
      for (let bit = 0; bit < 31; bit++) yield { ...event, [key]: value ^ (1 << bit) };
    } else if (typeof value === 'string') {
      // Of the code unit: half a pair would be U+FFFD in both.
      for (let i = 0; i < value.length * 7; i++) {
        const at = Math.trunc(i / 7);
        const unit = value.charCodeAt(at);
        if (unit > 0x7f) continue;
        yield {
          ...event,
          [key]: value.slice(0, at) + String.fromCharCode(unit ^ (1 << (i % 7))) + value.slice(at + 1),
        };
      }
    }
  }
}

/** Computed with Python's hashlib and json from the words of the contract, not with this program. */
const vectors: readonly (readonly [hex: string, event: StoredEvent])[] = [
  ['9b634ff219a00c4afb0f213c50b679ae60148d51fd7e69714011ddc2d5f089b0', meow],
  [
    '8f64f01c237f39b3b599d144042245a9a31592743b0b91aab9da82475d1f92bd',
    {
      epoch: EPOCH,
      seq: 2,
      type: 'collard.clock.synced',
      version: 1,
      subject: null,
      time: '1970-01-01T00:01:00.000Z',
      clock: 'unsynced',
      boot: 'b7c1',
      monoMs: 60000.5,
      data: '{"boot":"b7c1","offsetMs":-12}',
    },
  ],
  [
    'ed11a63b0ab9e7348eb3999d447ba22a26215ce284eadd5bea44543cf8de9030',
    {
      epoch: EPOCH,
      seq: 3,
      type: 'collard.cat.moved',
      version: 1,
      subject: 'collar/Zoë "Ü" 🐈',
      time: '2026-11-23T06:14:10.000Z',
      clock: 'synced',
      boot: null,
      monoMs: null,
      data: '{"from":null,"to":"Küche"}',
    },
  ],
];

describe('the chain', () => {
  test('begins with agent and epoch', () => {
    expect(chainHex(chainStart('porch', EPOCH))).toBe(
      '7b6141ca61567ead00233e73562b5fab4515ef481b69538cdf7760a8fafe78fa',
    );
  });

  test('goes on as computed elsewhere', () => {
    let hash = chainStart('porch', EPOCH);
    for (const [hex, event] of vectors) {
      hash = chainNext(hash, event);
      expect(chainHex(hash)).toBe(hex);
    }
  });

  test('over several events is the chain of each after the other, wherever one cuts', () => {
    fc.assert(
      fc.property(anyRun, fc.nat(20), (events, cut) => {
        const start = chainStart('porch', EPOCH);
        const whole = chainOver(start, events);
        expect(chainHex(chainOver(chainOver(start, events.slice(0, cut)), events.slice(cut)))).toBe(chainHex(whole));
      }),
    );
  });

  test.each([
    ['epoch', { epoch: '01a20867-068a-70da-b9ee-759f41bde6a9' }],
    ['seq', { seq: 2 }],
    ['type', { type: 'collard.meow.started' }],
    ['version', { version: 2 }],
    ['subject', { subject: null }],
    ['time', { time: '2026-11-23T06:14:09.843Z' }],
    ['clock', { clock: 'unsynced' }],
    ['boot', { boot: '' }],
    ['monoMs', { monoMs: 0 }],
    ['data', { data: '{}' }],
  ] as const)('changes with %s', (_field, change) => {
    const start = chainStart('porch', EPOCH);
    expect(chainHex(chainNext(start, { ...meow, ...change }))).not.toBe(chainHex(chainNext(start, meow)));
  });

  test('is another for every bit that changes, and for whatever is dropped, swapped, doubled or put in', () => {
    fc.assert(
      fc.property(anyRun, fc.nat(), fc.nat(), anyRun, (events, m, n, [stranger = meow]) => {
        const of = (some: readonly StoredEvent[]) => chainHex(chainOver(chainStart('porch', EPOCH), some));
        const whole = of(events);
        const [at, other] = [m % events.length, n % events.length];
        const event = events[at] ?? meow;
        const swapped = events.with(at, events[other] ?? meow).with(other, event);
        expect(of(events.toSpliced(at, 1))).not.toBe(whole);
        expect(of(events.toSpliced(at, 0, stranger))).not.toBe(whole);
        expect(of(events.toSpliced(at, 0, event))).not.toBe(whole);
        // seq is part of an event, so that no two are the same.
        if (at !== other) expect(of(swapped)).not.toBe(whole);
        for (const changed of bitFlips(event)) expect(of(events.with(at, changed))).not.toBe(whole);
      }),
    );
  });

  test('is written as 64 small hex digits and read only so', () => {
    const hash = chainStart('porch', EPOCH);
    expect(parseChainHex(chainHex(hash))).toEqual(hash);
    for (const bad of ['', 'ab', chainHex(hash).toUpperCase(), `${chainHex(hash)}0`, `${chainHex(hash)}\n`, 1, null]) {
      expect(parseChainHex(bad)).toBeNull();
    }
  });
});
