import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openCatService } from '../../../src/central/cats/cat-service.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { freshStore } from '../engines/fresh.ts';
import { at, createWriter, epochId, NOW, type Writer } from './events.ts';

const PLACES = ['kitchen', 'hall', 'bath'] as const;
const noon = () => new Date(at(-60));

/** Three agents, each with the receiver of one room, hear a cat that walks. */
function house(): readonly Writer[] {
  const loud = [
    [-55, -75, -85],
    [-78, -52, -74],
  ];
  return PLACES.map((place, i) => {
    const writer = createWriter(`pi-${place}`, epochId(i + 1));
    for (let second = i; second < 80; second += 10) {
      const rssi = loud[second < 40 ? 0 : 1]?.[i] ?? 0;
      writer.add('collar.sighted', 'collar/A', { place, rssi, forMs: 10_000 }, second);
    }
    return writer;
  });
}

async function projectAll(store: Store): Promise<void> {
  while ((await store.project(500)).events > 0);
}

describe('a place that three agents found', () => {
  it('has a confidence, the same whatever comes first, and in the past as it was', async () => {
    const seen = new Set<string>();
    const deliveries = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 });
    await fc.assert(
      fc.asyncProperty(deliveries, fc.shuffledSubarray([0, 1, 2], { minLength: 3 }), async (rounds, agents) => {
        const store = await freshStore();
        await openCatService(store, noon).addCat('Minka', 'A');
        const writers = house();
        for (const round of rounds) {
          for (const i of agents) {
            const batch = writers[i]?.batch(round + 1, round + 1);
            if (batch !== undefined) await store.ingest(batch, NOW);
            await projectAll(store);
          }
        }
        const cats = [await store.cats(noon()), await store.catsAt(new Date(at(35)))];
        seen.add(JSON.stringify(cats.map(([cat]) => [cat?.location, cat?.locationSince, cat?.confidence])));
        await store.close();
      }),
      { numRuns: 8 },
    );
    expect(seen.size).toBe(1);
    const [now, then] = JSON.parse([...seen][0] ?? '[]') as [string, string, number][];
    expect([now?.[0], then?.[0]]).toEqual(['hall', 'kitchen']);
    for (const one of [now, then]) {
      expect(one?.[2]).toBeGreaterThanOrEqual(0.8);
      expect(one?.[2]).toBeLessThanOrEqual(1);
    }
  }, 120_000);

  it('is surer of a person than of itself, and of an agent that decides alone says nothing', async () => {
    const store = await freshStore();
    const cats = openCatService(store, () => new Date(at(90)));
    await openCatService(store, noon).addCat('Minka', 'A');
    const alone = createWriter('attic', epochId(9));
    alone.add('cat.moved', 'collar/A', { from: null, to: 'attic', confidence: 0.9 }, -30);
    await store.ingest(alone.batch(1, 1), NOW);
    await projectAll(store);
    expect(await store.cats(noon())).toMatchObject([{ location: 'attic' }]);
    expect((await store.cats(noon()))[0]).not.toHaveProperty('confidence');
    for (const writer of house()) await store.ingest(writer.batch(1, 8), NOW);
    await projectAll(store);
    await cats.updateCatLocation(1, 'bath');
    await projectAll(store);
    const [cat] = await store.cats(noon());
    expect(cat?.location).toBe('bath');
    expect(cat?.confidence).toBeGreaterThanOrEqual(0.95);
    await store.close();
  });
});
