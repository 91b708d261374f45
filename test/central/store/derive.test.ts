import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldEvents } from '../../../src/central/models/fold.ts';
import { openStore } from '../../../src/central/open-store.ts';
import type { CentralEvent, Store } from '../../../src/central/store/store.ts';
import type { EventBatch } from '../../../src/contract/envelope.ts';
import { createWriter, epochId, NOW, type Writer } from './events.ts';

const collars = ['A', 'B', 'C'];
const places = ['kitchen', 'garden', 'hall'];

/** One thing that some agent writes; `second` may lie before what it wrote last, as after a correction of its clock. */
const step = fc.record({
  writer: fc.nat(2),
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
    'revoke',
    'odd',
  ),
  cat: fc.integer({ min: 1, max: 3 }),
  collar: fc.nat(2),
  place: fc.nat(2),
  second: fc.integer({ min: 0, max: 30 }),
  target: fc.nat(1_000),
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
      // Any agent may take back what it wrote itself, also what it writes later.
      return void writer.add(
        'event.revoked',
        null,
        { epoch: writer.epoch, seq: 1 + (s.target % 12), reason: 'wrong' },
        s.second,
      );
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
  const cats = await store.cats(new Date(NOW));
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

describe('the models cat and meowing', () => {
  it('are the fold of all events, whatever the order of arrival and the size of batches and slices', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }),
        fc.array(fc.nat(7), { minLength: 1, maxLength: 5, size: 'max' }),
        fc.array(fc.nat(100), { minLength: 1, maxLength: 40, size: 'max' }),
        fc.integer({ min: 1, max: 20 }),
        async (steps, sizes, order, slice) => {
          const writers = [1, 2, 3].map((n) => createWriter(`agent${n}`, epochId(n)));
          for (const s of steps) write(writers, s);
          const inOrder = await openStore({ url: 'sqlite::memory:' });
          const shuffled = await openStore({ url: 'sqlite::memory:' });
          for (const batch of batches(writers, [50], [0])) await inOrder.ingest(batch, NOW);
          while ((await inOrder.project(1_000)).events > 0);
          for (const [i, batch] of batches(writers, sizes, order).entries()) {
            await shuffled.ingest(batch, NOW);
            if (i % 3 !== 0) await shuffled.project(slice);
          }
          while ((await shuffled.project(slice)).events > 0);
          const expected = folded(await allEvents(inOrder));
          expect(await digest(inOrder)).toEqual(expected);
          expect(await digest(shuffled)).toEqual(expected);
          await inOrder.close();
          await shuffled.close();
        },
      ),
      { numRuns: 150 },
    );
  }, 120_000);
});
