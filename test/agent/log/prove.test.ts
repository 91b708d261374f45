import { describe, expect, it } from 'vitest';
import { type Kept, provenGroups, type Readable } from '../../../src/agent/log/prove.ts';
import { type ChainHash, chainNext, chainStart } from '../../../src/contract/chain.ts';
import type { StoredEvent } from '../../../src/contract/event.ts';

const EPOCH = '01a20867-068a-70da-b9ee-759f41bde6a8';
const span = { no: 1, epoch: EPOCH, agent: 'porch', base: 0 };

/** A sound log: `count` events, a kept hash behind every third. */
function soundLog(count: number): { readonly events: readonly StoredEvent[]; readonly chains: readonly Kept[] } {
  const events: StoredEvent[] = [];
  const chains: Kept[] = [];
  let hash: ChainHash = chainStart(span.agent, EPOCH);
  for (let seq = 1; seq <= count; seq += 1) {
    const time = new Date(1_764_000_000_000 + seq).toISOString();
    const fixed = {
      epoch: EPOCH,
      type: 'collard.meow.started',
      version: 1,
      subject: 'collar/A',
      clock: 'synced',
    } as const;
    const event: StoredEvent = { ...fixed, seq, time, boot: null, monoMs: null, data: `{"level":${seq}}` };
    events.push(event);
    hash = chainNext(hash, event);
    if (seq % 3 === 0) chains.push({ pos: seq, hash });
  }
  return { events, chains };
}

function readable(count: number, next: Readable['next'], bend = (kept: readonly Kept[]) => kept): Readable {
  const { events, chains } = soundLog(count);
  return {
    events: (_, from, to) => events.filter(({ seq }) => from <= seq && seq <= to),
    chains: (from, to) => bend(chains.filter(({ pos }) => from <= pos && pos <= to)),
    next,
  };
}

const endsOf = (from: Readable, end: number) => [...provenGroups(from, span, end)].map(({ after }) => after.pos);
const straight = (pos: number) => pos + 1;
const all = Array.from({ length: 800 }, (_, i) => 3 * (i + 1));

describe('proven groups', () => {
  it('are those between kept hashes that fit, in order', () => {
    expect(endsOf(readable(2_400, straight), 2_400)).toEqual(all);
  });

  it('are told once, and the search ends, where a broken tree goes back to what was passed', () => {
    expect(
      endsOf(
        readable(2_400, (pos) => (pos >= 1_000 ? 5 : pos + 1)),
        2_400,
      ),
    ).toEqual(all);
    expect(
      endsOf(
        readable(2_400, () => 1),
        2_400,
      ),
    ).toEqual(all);
  });

  it('are told once where a broken tree tells its hashes in another order, twice, or from elsewhere', () => {
    const twice = (kept: readonly Kept[]) => kept.flatMap((one) => [one, ...kept.slice(0, 2)]);
    expect(endsOf(readable(600, straight, twice), 600)).toEqual(all.slice(0, 200));
    const backwards = (kept: readonly Kept[]) => [...kept].reverse();
    const ends = endsOf(readable(600, straight, backwards), 600);
    expect(new Set(ends).size).toBe(ends.length);
  });

  it('are found in windows of at most a thousand positions, to the last one', () => {
    const from = readable(1_002, straight);
    const asked: [number, number][] = [];
    const noted: Readable = {
      ...from,
      events(of, first, last) {
        asked.push([first, last]);
        return from.events(of, first, last);
      },
    };
    expect(endsOf(noted, 1_002).at(-1)).toBe(1_002);
    expect(asked).toEqual([
      [1, 1_000],
      [1_001, 1_002],
    ]);
    // One position more than a window.
    const one = readable(1_001, straight, () => []);
    const last = soundLog(1_001).events.reduce<ChainHash>(
      (hash, event) => chainNext(hash, event),
      chainStart('porch', EPOCH),
    );
    const kept = [{ pos: 1_001, hash: last }];
    const chains: Readable['chains'] = (first, to) => kept.filter(({ pos }) => first <= pos && pos <= to);
    expect(endsOf({ ...one, chains }, 1_001)).toEqual([1_001]);
  });

  it('hold no more than so many events: what was never kept for longer is no commit of ours', () => {
    for (const [count, ends] of [
      [20_000, [20_000]],
      [20_001, []],
    ] as const) {
      const { events } = soundLog(count);
      const hash = events.reduce<ChainHash>((before, event) => chainNext(before, event), chainStart('porch', EPOCH));
      const from: Readable = {
        events: (_, first, last) => events.slice(first - 1, last),
        chains: (first, last) => (first <= count && count <= last ? [{ pos: count, hash }] : []),
        next: straight,
      };
      expect(endsOf(from, count)).toEqual(ends);
    }
  });
});
