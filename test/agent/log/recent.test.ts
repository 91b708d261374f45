import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRecent, RECENT_CHARACTERS, RECENT_EVENTS, type RecentGroup } from '../../../src/agent/log/recent.ts';
import { event, levels } from './log-fixture.ts';

const ALL = { limit: 1_000_000, maxBytes: 1e9 };

/** Hashes of which each byte is the seq. */
function group(firstSeq: number, count: number, epoch = 'one'): RecentGroup {
  const chains = new Uint8Array(count * 32);
  for (let i = 0; i < count; i += 1) chains.fill((firstSeq + i) % 256, i * 32, (i + 1) * 32);
  return { epoch, firstSeq, events: levels(count), chains };
}

function seqs(events: readonly { readonly seq: number }[] | null): readonly number[] | null {
  return events?.map(({ seq }) => seq) ?? null;
}

describe('the newest events', () => {
  it('are told over several groups, each with its epoch and seq', () => {
    const recent = createRecent();
    const [first, second] = [group(5, 3), group(8, 2)];
    recent.note(first);
    recent.note(second);
    const read = recent.read('one', { from: 6, to: 9, ...ALL });
    expect(seqs(read)).toEqual([6, 7, 8, 9]);
    expect(read?.[3]).toEqual({ ...second.events[1], epoch: 'one', seq: 9 });
    expect([recent.chainAt('one', 5), recent.chainAt('one', 9)]).toEqual([5, 9].map((n) => new Uint8Array(32).fill(n)));
  });

  it('are told up to the limits, and one at least', () => {
    const recent = createRecent();
    recent.note(group(1, 10));
    const each = group(1, 1).events[0]?.data.length ?? 0;
    expect(seqs(recent.read('one', { from: 2, to: 10, limit: 3, maxBytes: 1e9 }))).toEqual([2, 3, 4]);
    expect(seqs(recent.read('one', { from: 2, to: 10, limit: 9, maxBytes: 2 * each }))).toEqual([2, 3]);
    expect(seqs(recent.read('one', { from: 2, to: 10, limit: 9, maxBytes: 1 }))).toEqual([2]);
  });

  it('are not told where some of them would be missing', () => {
    const recent = createRecent();
    expect(recent.read('one', { from: 1, to: 1, ...ALL })).toBeNull();
    recent.note(group(5, 3));
    expect(recent.read('one', { from: 4, to: 6, ...ALL })).toBeNull();
    expect(recent.read('one', { from: 6, to: 8, ...ALL })).toBeNull();
    expect(recent.read('two', { from: 5, to: 6, ...ALL })).toBeNull();
    expect(recent.read('one', { from: 7, to: 6, ...ALL })).toBeNull();
    expect(recent.read('one', { from: 5, to: 6, limit: 0, maxBytes: 1e9 })).toBeNull();
    expect([recent.chainAt('one', 4), recent.chainAt('one', 8), recent.chainAt('two', 5)]).toEqual([null, null, null]);
    // No more than the limit is asked for, and that is here.
    expect(seqs(recent.read('one', { from: 6, to: 99, limit: 2, maxBytes: 1e9 }))).toEqual([6, 7]);
  });

  it('begin anew behind a gap, with another epoch, and after something was given up', () => {
    const recent = createRecent();
    recent.note(group(1, 3));
    recent.note(group(5, 1));
    expect(recent.chainAt('one', 3)).toBeNull();
    expect(seqs(recent.read('one', { from: 5, to: 5, ...ALL }))).toEqual([5]);
    recent.note(group(6, 1, 'two'));
    expect(recent.chainAt('one', 5)).toBeNull();
    expect(recent.chainAt('two', 6)).not.toBeNull();
    recent.clear();
    expect(recent.chainAt('two', 6)).toBeNull();
  });

  it('are bounded in number and in length, but for the last group', () => {
    const recent = createRecent();
    recent.note(group(1, RECENT_EVENTS));
    expect(recent.chainAt('one', 1)).not.toBeNull();
    recent.note(group(RECENT_EVENTS + 1, 1));
    expect(recent.chainAt('one', RECENT_EVENTS)).toBeNull();
    expect(recent.chainAt('one', RECENT_EVENTS + 1)).not.toBeNull();
    const long = event('sensor.failed', { source: 'x', reason: 'y'.repeat(RECENT_CHARACTERS) });
    recent.note({ ...group(RECENT_EVENTS + 2, 1), events: [long] });
    expect(recent.chainAt('one', RECENT_EVENTS + 1)).toBeNull();
    expect(seqs(recent.read('one', { from: RECENT_EVENTS + 2, to: RECENT_EVENTS + 2, ...ALL }))).toHaveLength(1);
  });

  it('are those of one long list, whatever the groups', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(sizes, fc.nat(45), fc.nat(45), fc.integer({ min: 1, max: 45 }), (counts, from, to, limit) => {
        const recent = createRecent();
        let next = 1;
        for (const count of counts) {
          recent.note(group(next, count));
          next += count;
        }
        const read = recent.read('one', { from, to, limit, maxBytes: 1e9 });
        const last = Math.min(to, from + limit - 1);
        const isHeld = from >= 1 && from <= last && last < next;
        expect(seqs(read)).toEqual(isHeld ? Array.from({ length: last - from + 1 }, (_, i) => from + i) : null);
      }),
    );
  });
});
