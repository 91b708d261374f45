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

const agentOf = ({ agent }: Writer) => agent;

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

  it('is among the events where it is asked for, by the sighting that decided it', async () => {
    const store = await freshStore();
    await openCatService(store, noon).addCat('Minka', 'A');
    await openCatService(store, noon).addCat('Otto', 'B');
    const writers = house();
    writers[1]?.add('collar.sighted', 'collar/A', { place: 'terrace', sensor: 'pir', motion: true }, 90);
    writers[0]?.add('cat.moved', 'collar/B', { from: null, to: 'attic' }, 91);
    for (const writer of writers) {
      for (let seq = 1; seq <= writer.events.length; seq += 1) {
        await store.ingest(writer.batch(seq, seq), NOW);
        if (seq % 3 === 0) await projectAll(store);
      }
    }
    await projectAll(store);
    const told = async (query: object = {}) => {
      const { events } = await store.newest({ limit: 100, fused: true, types: ['collard.cat.moved'], ...query });
      return events.map(({ type, fused }) => fused ?? type);
    };
    const [seen, moved, first, ...others] = [
      { catId: 1, from: 'hall', to: 'terrace', agents: ['pi-hall'] },
      { catId: 1, from: 'kitchen', to: 'hall', confidence: expect.any(Number), agents: house().map(agentOf).sort() },
      { catId: 1, from: null, to: 'kitchen', confidence: expect.any(Number), agents: expect.any(Array) },
    ];
    const all = await told();
    expect(all).toEqual(['collard.cat.moved', seen, moved, first, ...others]);
    for (const one of all.slice(2)) {
      const { confidence = 0 } = one as { readonly confidence?: number };
      expect(confidence).toBeGreaterThanOrEqual(0.8);
      expect(confidence).toBeLessThanOrEqual(1);
    }
    expect(await told({ catId: 2 })).toEqual(['collard.cat.moved']);
    expect(await told({ catId: 1, to: at(85) })).toEqual(all.slice(2));
    expect(await told({ catId: 1, from: at(85) })).toEqual([seen]);
    expect(await told({ collar: 'B' })).toEqual(['collard.cat.moved']);
    expect(await told({ agent: 'pi-hall' })).toContainEqual(seen);
    expect(await told({ agent: 'nobody' })).toEqual([]);
    // Page by page, and none twice.
    const paged: unknown[] = [];
    for (let before: string | undefined; ; ) {
      const query = {
        limit: 1,
        fused: true,
        types: ['collard.cat.moved'],
        ...(before === undefined ? {} : { before }),
      };
      const page = await store.newest(query);
      if (page.events.length === 0) break;
      paged.push(...page.events.map(({ type, fused }) => fused ?? type));
      before = page.next;
    }
    expect(paged).toEqual(all);
    // Who asks for sightings gets all of them, those that decided marked.
    const sighted = await told({ types: ['collard.collar.sighted'], catId: 1 });
    expect(sighted).toHaveLength(25);
    expect(sighted.filter((one) => typeof one === 'object')).toEqual(all.slice(1));
    expect((await store.newest({ limit: 1, types: ['collard.collar.sighted'] })).events[0]).not.toHaveProperty('fused');
    await store.close();
  });

  it('that another sighting decides, which comes late, is the only one that is told', async () => {
    const store = await freshStore();
    await openCatService(store, noon).addCat('Minka', 'A');
    const writers = house();
    for (const writer of writers.slice(0, 2)) await store.ingest(writer.batch(1, 8), NOW);
    await projectAll(store);
    const told = async () => {
      const { events } = await store.newest({ limit: 100, fused: true, catId: 1, types: ['collard.cat.moved'] });
      return events.map(({ fused }) => fused?.to);
    };
    expect(await told()).toEqual(['hall', 'kitchen']);
    const late = createWriter('pi-garden', epochId(7));
    late.add('collar.sighted', 'collar/A', { place: 'garden', sensor: 'pir', motion: true }, 75);
    late.add('collar.sighted', 'collar/A', { place: 'hall', sensor: 'pir', motion: true }, 76);
    await store.ingest(late.batch(1, 2), NOW);
    await projectAll(store);
    expect(await told()).toEqual(['hall', 'garden', 'hall', 'kitchen']);
    await openCatService(store, () => new Date(at(100))).revoke(epochId(7), 1, 'a bird');
    await projectAll(store);
    expect(await told()).toEqual(['hall', 'kitchen']);
    await store.close();
  });

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
