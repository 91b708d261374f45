/** Stories of agents and central, told at random: what they write, how it arrives, and what must come of it. */
import fc from 'fast-check';
import { foldEvents } from '../../../src/central/models/fold.ts';
import { confidenceIn } from '../../../src/central/store/read-models.ts';
import type { CentralEvent, Store } from '../../../src/central/store/store.ts';
import { syncOf, timeAt, unsetOf } from '../../../src/contract/clock.ts';
import type { EventBatch } from '../../../src/contract/envelope.ts';
import type { EventData, EventType } from '../../../src/contract/event.ts';
import { type AgentEvent, correctAll, idOf } from './corrections.ts';
import { at, createWriter, epochId, NOW, type Writer } from './events.ts';

const collars = ['A', 'B', 'C'];
const places = ['kitchen', 'garden', 'hall'];

/**
 * One thing that some agent, or central (3), writes; `second` may lie before what it wrote last, as after a correction of its
 * clock; `boot`: of an agent whose clock was not set then, on one of two starts of its machine. Corrections are as frequent as all else together, and of few events, so that they meet.
 */
export const step = fc.record({
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
    'sighted',
    'seen',
    'odd',
    'clock',
    'clock',
    ...Array.from({ length: 5 }, () => ['revoke', 'reassign'] as const).flat(),
  ),
  cat: fc.integer({ min: 1, max: 3 }),
  collar: fc.nat(2),
  place: fc.nat(2),
  second: fc.integer({ min: 0, max: 30 }),
  target: fc.nat(1_000),
  whose: fc.nat(3),
  boot: fc.constantFrom(null, null, 'b', 'c'),
});
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Three agents and central, which all have begun to write. */
export function writersOf(steps: readonly Step[]): readonly Writer[] {
  const writers = [1, 2, 3].map((n) => createWriter(`agent${n}`, epochId(n)));
  writers.push(createWriter('central', epochId(4)));
  for (const writer of writers) writer.add('clock.synced', null, { boot: 'b', offsetMs: 0 }, 0);
  for (const s of steps) write(writers, s);
  return writers;
}

function write(writers: readonly Writer[], s: Step): void {
  const own = writers[s.writer] as Writer;
  const writer = { ...own, add: s.boot === null || s.writer === 3 ? own.add : unsetBy(own, s.boot, s) };
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
    case 'sighted':
      return void writer.add(
        'collar.sighted',
        subject,
        { place: to, rssi: -40 - (s.target % 50), forMs: 5_000 },
        s.second,
      );
    case 'seen':
      return void writer.add('collar.sighted', subject, { place: to, sensor: 'pir', motion: true }, s.second);
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
    case 'clock': {
      const offsetMs = Date.parse(NOW) + 9_000 * (s.target % 4);
      return void own.add('clock.synced', null, { boot: s.boot ?? 'b', offsetMs }, s.second);
    }
    case 'odd':
      return void writer.add('meow.started', subject, { level: 'loud' as unknown as number }, s.second);
  }
}

/** The clock stood at 1970, or was a little wrong. */
function unsetBy({ addUnset }: Writer, boot: string, { target }: Step): Writer['add'] {
  return <T extends EventType>(type: T, subject: string | null, data: EventData[T], second: number) => {
    const time = target % 2 === 0 ? new Date(second * 1_000).toISOString() : at(second + (target % 7) - 3);
    return addUnset(type, subject, data, { time, boot, monoMs: second * 1_000 + (target % 5) / 4 });
  };
}

/** Each agent's batches, cut and shuffled by the numbers given. */
export function batches(writers: readonly Writer[], sizes: readonly number[], order: readonly number[]): EventBatch[] {
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

export async function digest(store: Store): Promise<unknown> {
  // When a collar was heard is joined when reading: no part of the fold.
  const cats = (await store.cats(new Date(NOW))).map(({ lastHeard: _lastHeard, ...cat }) => cat);
  const histories = await Promise.all([1, 2, 3].map((id) => store.catHistory(id, 10_000)));
  return { cats, histories, skipped: (await store.counts()).skipped };
}

export function folded(events: readonly CentralEvent[]): unknown {
  const { cats, meowing, skipped } = foldEvents(events);
  const day = new Date(NOW);
  const dayStart = new Date(day.getFullYear(), day.getMonth(), day.getDate()).toISOString();
  return {
    skipped,
    cats: cats.map(({ catId, key, sightings, ...cat }) => ({
      id: catId,
      ...cat,
      ...confidenceIn(sightings, cat.location),
      meowsToday: meowing.filter(
        (row) => row.catId === catId && row.eventType === 'meow' && row.newValue === '1' && row.timestamp >= dayStart,
      ).length,
    })),
    histories: [1, 2, 3].map((id) => meowing.filter((row) => row.catId === id).reverse()),
  };
}

export async function allEvents(store: Store): Promise<readonly CentralEvent[]> {
  return (await store.arrivals(new Map(), 100_000)).events;
}

/** By the definition of corrections and of clocks, and not by what the store says of them. */
export function corrected(writers: readonly Writer[]): CentralEvent[] {
  const events = writers.flatMap(({ agent, events: own }) => own.map((event): AgentEvent => ({ ...event, agent })));
  const all = correctAll(events);
  const isRevoked = (event: AgentEvent) => all.get(idOf(event))?.revoked === true;
  const order = ({ epoch, seq }: AgentEvent) => `${epoch} ${String(seq).padStart(16, '0')}`;
  const syncs = events.filter((event) => syncOf(event) !== null && !isRevoked(event));
  const timesOf = (event: AgentEvent) => {
    const unset = unsetOf(event);
    const mine = syncs.filter((sync) => sync.agent === event.agent && syncOf(sync)?.boot === unset?.boot);
    const last = mine.sort((a, b) => (order(a) < order(b) ? -1 : 1)).at(-1);
    const sync = last === undefined ? null : syncOf(last);
    if (unset === null || sync === null) return { originalTime: null };
    return { time: timeAt(sync.offsetMs, unset.monoMs), originalTime: event.time };
  };
  return events.map((event, i) => {
    const { revoked = false, reassignedTo = null } = all.get(idOf(event)) ?? {};
    const kept = { ...event, shard: 0, arrival: i, position: i };
    return { ...kept, revoked, reassignedTo, correction: null, ...timesOf(event) };
  });
}
