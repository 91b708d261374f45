import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { share } from '../../../src/central/ownership/share.ts';

const duties = fc.integer({ min: 0, max: 64 }).map((n) => Array.from({ length: n }, (_, i) => i));
const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), { minLength: 1 });
/** Who had what before, some of them gone now. */
const before = (all: readonly number[]) =>
  fc
    .array(fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'gone')), { minLength: all.length, maxLength: all.length })
    .map((list) => new Map(all.flatMap((duty, i) => (list[i] == null ? [] : [[duty, list[i]] as const]))));
const situation = fc
  .tuple(duties, names)
  .chain(([all, workers]) => fc.tuple(fc.constant(all), fc.constant(workers), before(all)));

const countOf = (shared: ReadonlyMap<number, string>, name: string) =>
  [...shared.values()].filter((owner) => owner === name).length;

describe('shares', () => {
  it('give every duty to one worker, and nobody more than one more than another', () => {
    fc.assert(
      fc.property(situation, ([all, workers, owners]) => {
        const shared = share(all, workers, owners);
        expect([...shared.keys()].sort((a, b) => a - b)).toEqual(all);
        const counts = workers.map((name) => countOf(shared, name));
        expect(counts.reduce((sum, n) => sum + n, 0)).toBe(all.length);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('move no more than is too much where it is', () => {
    fc.assert(
      fc.property(situation, ([all, workers, owners]) => {
        const shared = share(all, workers, owners);
        const most = Math.ceil(all.length / workers.length);
        for (const name of workers) {
          const had = all.filter((duty) => owners.get(duty) === name);
          const kept = had.filter((duty) => shared.get(duty) === name);
          // It gives up what it has too much of, and is given nothing instead.
          if (kept.length < had.length) expect(countOf(shared, name)).toBe(kept.length);
          expect(kept.length).toBeGreaterThanOrEqual(Math.min(had.length, most - 1));
        }
      }),
    );
  });

  it('are the same for all who see the same, and stay as they are once they are taken', () => {
    fc.assert(
      fc.property(situation, ([all, workers, owners]) => {
        const shared = share(all, workers, owners);
        expect(share(all, [...workers].reverse(), owners)).toEqual(shared);
        expect(share(all, workers, shared)).toEqual(shared);
      }),
    );
  });

  it('of a worker that ends go to the others, whose own stay', () => {
    const all = Array.from({ length: 64 }, (_, i) => i);
    const three = share(all, ['a', 'b', 'c'], new Map());
    const two = share(all, ['a', 'c'], three);
    for (const [duty, owner] of three) if (owner !== 'b') expect(two.get(duty)).toBe(owner);
    expect([countOf(two, 'a'), countOf(two, 'c')]).toEqual([32, 32]);
  });

  it('of nobody are none', () => {
    expect(share([1, 2], [], new Map([[1, 'a']]))).toEqual(new Map());
  });
});
