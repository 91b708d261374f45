import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../../src/central/open-store.ts';
import { CHECKPOINT_FACTS } from '../../../src/central/store/derive-cat.ts';
import type { CentralEvent } from '../../../src/central/store/store.ts';
import { freshStore, freshUrl, rowsOf, runs } from '../engines/fresh.ts';
import { correctAll, idOf } from './corrections.ts';
import { at, createWriter, epochId, NOW } from './events.ts';
import { allEvents, batches, corrected, digest, folded, step, writersOf } from './story.ts';

const flagsOf = (events: readonly CentralEvent[]) =>
  new Map(
    events.map((event) => {
      const { revoked, reassignedTo, correction } = event;
      return [idOf(event), { revoked, reassignedTo, by: correction?.by ?? null }];
    }),
  );

const timesOf = (events: readonly CentralEvent[]) =>
  new Map(events.map((event) => [idOf(event), [event.time, event.originalTime]]));

describe('the models cat and meowing', () => {
  it('are the fold of all events and corrections, whatever the order of arrival and the size of batches and slices', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }),
        fc.array(fc.nat(7), { minLength: 1, maxLength: 5, size: 'max' }),
        fc.array(fc.nat(100), { minLength: 1, maxLength: 40, size: 'max' }),
        fc.integer({ min: 1, max: 20 }),
        async (steps, sizes, order, slice) => {
          const writers = writersOf(steps);
          const inOrder = await freshStore();
          const shuffled = await freshStore();
          // Nobody speaks of logs that were never heard of: whose they are is told by their first event.
          for (const store of [inOrder, shuffled]) {
            for (const writer of writers) await store.ingest(writer.batch(1, 1), NOW);
          }
          for (const batch of batches(writers, [50], [0])) await inOrder.ingest(batch, NOW);
          while ((await inOrder.project(1_000)).events > 0);
          for (const [i, batch] of batches(writers, sizes, order).entries()) {
            await shuffled.ingest(batch, NOW);
            if (i % 3 !== 0) await shuffled.project(slice);
          }
          while ((await shuffled.project(slice)).events > 0);
          const events = corrected(writers);
          const flags = correctAll(
            writers.flatMap(({ agent, events: own }) => own.map((event) => ({ ...event, agent }))),
          );
          expect(flagsOf(await allEvents(inOrder))).toEqual(flags);
          expect(flagsOf(await allEvents(shuffled))).toEqual(flags);
          const expected = folded(events);
          for (const store of [inOrder, shuffled]) expect(timesOf(await allEvents(store))).toEqual(timesOf(events));
          expect(await digest(inOrder)).toEqual(expected);
          expect(await digest(shuffled)).toEqual(expected);
          await inOrder.close();
          await shuffled.close();
        },
      ),
      { numRuns: runs(150) },
    );
  }, 240_000);

  it('take in what comes late after many checkpoints', async () => {
    const central = createWriter('hall', epochId(9));
    central.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Minka' }, 0);
    central.add('collar.assigned', 'cat/1', { catId: 1, collar: 'A' }, 0);
    const porch = createWriter('porch', epochId(1));
    const shed = createWriter('shed', epochId(2));
    for (let i = 1; i <= 4 * CHECKPOINT_FACTS; i += 1) {
      porch.add('cat.moved', 'collar/A', { from: null, to: i % 2 === 0 ? 'kitchen' : 'hall' }, i);
    }
    for (const second of [100, 101, 500, 700.5, 2_000]) {
      shed.add('cat.moved', 'collar/A', { from: null, to: 'garden' }, second);
    }
    const store = await freshStore();
    await store.ingest(central.batch(1, 2), NOW);
    for (let from = 1; from < porch.events.length; from += 256) {
      await store.ingest(porch.batch(from, from + 255), NOW);
      await store.project(50);
    }
    while ((await store.project(50)).events > 0);
    for (const seq of [5, 3, 1, 2, 4]) {
      await store.ingest(shed.batch(seq, seq), NOW);
      expect((await store.project(50)).changedCats).toEqual([1]);
      expect(await digest(store)).toEqual(folded(await allEvents(store)));
    }
    await store.close();
  });

  it('are tables that people can query', async () => {
    const url = await freshUrl();
    const porch = createWriter('porch', epochId(1));
    porch.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Minka' }, 0);
    porch.add('collar.assigned', 'cat/1', { catId: 1, collar: 'A' }, 1);
    porch.add('cat.moved', 'collar/A', { from: null, to: 'kitchen' }, 2);
    porch.add('meow.started', 'collar/A', { level: 1 }, 3);
    const store = await openStore({ url });
    await store.ingest(porch.batch(1, 4), NOW);
    await store.project(10);
    await store.close();
    expect(await rowsOf(url, 'select * from cat')).toMatchObject([
      { id: 1, name: 'Minka', is_meowed: 1, location: 'kitchen', collar: 'A', last_seen: at(3) },
    ]);
    expect(await rowsOf(url, 'select * from meowing order by timestamp')).toEqual([
      {
        id: `${epochId(1)}/1`,
        timestamp: at(0),
        cat_id: 1,
        location: null,
        event_type: 'cat_name',
        old_value: null,
        new_value: 'Minka',
      },
      {
        id: `${epochId(1)}/3`,
        timestamp: at(2),
        cat_id: 1,
        location: 'kitchen',
        event_type: 'location',
        old_value: null,
        new_value: 'kitchen',
      },
      {
        id: `${epochId(1)}/4`,
        timestamp: at(3),
        cat_id: 1,
        location: 'kitchen',
        event_type: 'meow',
        old_value: '0',
        new_value: '1',
      },
    ]);
  });
});
