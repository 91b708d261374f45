import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldEvents } from '../../../src/central/models/fold.ts';
import { openStore } from '../../../src/central/open-store.ts';
import { CHECKPOINT_FACTS } from '../../../src/central/store/derive-cat.ts';
import type { CentralEvent, Store } from '../../../src/central/store/store.ts';
import type { EventBatch } from '../../../src/contract/envelope.ts';
import { freshStore, freshUrl, rowsOf, runs } from '../engines/fresh.ts';
import { type AgentEvent, correctAll, idOf } from './corrections.ts';
import { at, createWriter, epochId, NOW, type Writer } from './events.ts';

const collars = ['A', 'B', 'C'];
const places = ['kitchen', 'garden', 'hall'];

/**
 * One thing that some agent, or central (3), writes; `second` may lie before what it wrote last, as after a correction of its
 * clock. Corrections are as frequent as all else together, and of few events, so that they meet.
 */
const step = fc.record({
  writer: fc.nat(3),
  what: fc.constantFrom(
    'named',
    'assigned',
    'moved',
    'placed',
    'start',
    'end',
    'silent',
    'heard',
    'battery',
    'odd',
    ...Array.from({ length: 5 }, () => ['revoke', 'reassign'] as const).flat(),
  ),
  cat: fc.integer({ min: 1, max: 3 }),
  collar: fc.nat(2),
  place: fc.nat(2),
  second: fc.integer({ min: 0, max: 30 }),
  target: fc.nat(1_000),
  whose: fc.nat(3),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function write(writers: readonly Writer[], s: Step): void {
  const writer = writers[s.writer] as Writer;
  const collar = collars[s.collar] as string;
  const to = places[s.place] as string;
  const subject = `collar/${collar}`;
  switch (s.what) {
    case 'named':
      return void writer.add(
        'cat.named',
        `cat/${s.cat}`,
        { catId: s.cat, oldName: null, newName: `${to} cat` },
        s.second,
      );
    case 'assigned':
      return void writer.add('collar.assigned', `cat/${s.cat}`, { catId: s.cat, collar }, s.second);
    case 'moved':
      return void writer.add('cat.moved', subject, { from: null, to }, s.second);
    case 'placed':
      return void writer.add(
        'cat.moved',
        s.target % 2 === 0 ? `cat/${s.cat}` : subject,
        { from: null, to, catId: s.cat },
        s.second,
      );
    case 'start':
      return void writer.add('meow.started', subject, { level: 1 }, s.second);
    case 'end':
      return void writer.add('meow.ended', subject, { durationMs: 1, peakG: 1, readings: 1, place: to }, s.second);
    case 'silent':
      return void writer.add('collar.silent', subject, { lastSeen: NOW }, s.second);
    case 'heard':
      return void writer.add('collar.heard', subject, { lastSeen: NOW }, s.second);
    case 'battery':
      return void writer.add('battery.low', subject, { percent: 9 }, s.second);
    case 'revoke':
    case 'reassign': {
      // Whoever may not, or speaks of what it did not write yet, says nothing by it.
      const { epoch } = (s.target % 3 === 0 ? writer : writers[s.whose]) as Writer;
      const target = { epoch, seq: 1 + (s.target % 12), reason: 'wrong' };
      if (s.what === 'revoke') return void writer.add('event.revoked', null, target, s.second);
      return void writer.add('event.reassigned', null, { ...target, catId: s.cat }, s.second);
    }
    case 'odd':
      return void writer.add('meow.started', subject, { level: 'loud' as unknown as number }, s.second);
  }
}

/** Each agent's batches, cut and shuffled by the numbers given. */
function batches(writers: readonly Writer[], sizes: readonly number[], order: readonly number[]): EventBatch[] {
  const all: EventBatch[] = [];
  for (const writer of writers) {
    for (let from = 1, i = 0; from <= writer.events.length; i += 1) {
      const to = Math.min(writer.events.length, from + (sizes[i % sizes.length] ?? 0));
      all.push(writer.batch(from, to));
      from = to + 1;
    }
  }
  return all
    .map((batch, i) => ({ batch, at: order[i % order.length] ?? 0 }))
    .sort((a, b) => a.at - b.at)
    .map(({ batch }) => batch);
}

async function digest(store: Store): Promise<unknown> {
  // When a collar was heard is joined when reading: no part of the fold.
  const cats = (await store.cats(new Date(NOW))).map(({ lastHeard: _lastHeard, ...cat }) => cat);
  const histories = await Promise.all([1, 2, 3].map((id) => store.catHistory(id, 10_000)));
  return { cats, histories, skipped: (await store.counts()).skipped };
}

function folded(events: readonly CentralEvent[]): unknown {
  const { cats, meowing, skipped } = foldEvents(events);
  const day = new Date(NOW);
  const dayStart = new Date(day.getFullYear(), day.getMonth(), day.getDate()).toISOString();
  return {
    skipped,
    cats: cats.map(({ catId, key, ...cat }) => ({
      id: catId,
      ...cat,
      meowsToday: meowing.filter(
        (row) => row.catId === catId && row.eventType === 'meow' && row.newValue === '1' && row.timestamp >= dayStart,
      ).length,
    })),
    histories: [1, 2, 3].map((id) => meowing.filter((row) => row.catId === id).reverse()),
  };
}

async function allEvents(store: Store): Promise<readonly CentralEvent[]> {
  return (await store.arrivals(new Map(), 100_000)).events;
}

/** By the definition of corrections, and not by what the store says of them. */
function corrected(writers: readonly Writer[]): CentralEvent[] {
  const events = writers.flatMap(({ agent, events: own }) => own.map((event): AgentEvent => ({ ...event, agent })));
  const all = correctAll(events);
  return events.map((event, i) => {
    const { revoked = false, reassignedTo = null } = all.get(idOf(event)) ?? {};
    return { ...event, shard: 0, arrival: i, position: i, revoked, reassignedTo, correction: null };
  });
}

const flagsOf = (events: readonly CentralEvent[]) =>
  new Map(
    events.map((event) => {
      const { revoked, reassignedTo, correction } = event;
      return [idOf(event), { revoked, reassignedTo, by: correction?.by ?? null }];
    }),
  );

describe('the models cat and meowing', () => {
  it('are the fold of all events and corrections, whatever the order of arrival and the size of batches and slices', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }),
        fc.array(fc.nat(7), { minLength: 1, maxLength: 5, size: 'max' }),
        fc.array(fc.nat(100), { minLength: 1, maxLength: 40, size: 'max' }),
        fc.integer({ min: 1, max: 20 }),
        async (steps, sizes, order, slice) => {
          const writers = [1, 2, 3].map((n) => createWriter(`agent${n}`, epochId(n)));
          writers.push(createWriter('central', epochId(4)));
          for (const writer of writers) writer.add('clock.synced', null, { boot: 'b', offsetMs: 0 }, 0);
          for (const s of steps) write(writers, s);
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
          const flags = correctAll(events);
          expect(flagsOf(await allEvents(inOrder))).toEqual(flags);
          expect(flagsOf(await allEvents(shuffled))).toEqual(flags);
          const expected = folded(events);
          expect(await digest(inOrder)).toEqual(expected);
          expect(await digest(shuffled)).toEqual(expected);
          await inOrder.close();
          await shuffled.close();
        },
      ),
      { numRuns: runs(150) },
    );
  }, 120_000);

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
