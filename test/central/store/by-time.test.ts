import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { catModel } from '../../../src/central/models/cat-model.ts';
import { decodeCursor } from '../../../src/central/store/cursor.ts';
import type { CentralEvent, EventFilter, EventPage, Store } from '../../../src/central/store/store.ts';
import { collarOf, type StoredEvent } from '../../../src/contract/event.ts';
import { engine, freshStore } from '../engines/fresh.ts';
import { at, createWriter, epochId, NOW, type Writer } from './events.ts';

let store: Store;

beforeEach(async () => {
  store = await freshStore();
});

afterEach(async () => {
  await store.close();
});

const id = ({ epoch, seq }: StoredEvent) => `${epoch}/${seq}`;

/** All pages of a query, one after the other. */
async function paged(read: (next: string | undefined) => Promise<EventPage>): Promise<string[]> {
  const found: string[] = [];
  for (let next: string | undefined; ; ) {
    const page = await read(next);
    found.push(...page.events.map(id));
    if (page.events.length === 0) return found;
    next = page.next;
  }
}

/** Two agents that hear two collars, many events at the same moment; two cats that swap their collars in the middle. */
async function fill(): Promise<readonly Writer[]> {
  const porch = createWriter('porch', epochId(1));
  const hall = createWriter('hall', epochId(2));
  porch.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Mia' }, -10);
  porch.add('cat.named', 'cat/2', { catId: 2, oldName: null, newName: 'Tom' }, -10);
  const assign = (catId: number, collar: string, second: number) =>
    porch.add('collar.assigned', `cat/${catId}`, { catId, collar }, second);
  assign(1, 'A', 0);
  assign(2, 'B', 0);
  for (let n = 0; n < 120; n += 1) {
    const second = Math.floor(n / 4);
    const collar = `collar/${n % 3 === 0 ? 'A' : 'B'}`;
    if (n === 60) assign(1, 'B', second);
    if (n === 60) assign(2, 'A', second);
    const writer = n % 5 === 0 ? hall : porch;
    if (n % 7 === 0) writer.add('cat.moved', collar, { from: null, to: 'roof' }, second);
    else if (n % 11 === 0) writer.add('cat.moved', collar, { from: null, to: 'roof', catId: 2 }, second);
    else writer.add('meow.started', collar, { level: n }, second);
  }
  for (const writer of [hall, porch]) {
    for (let from = 1; from <= writer.events.length; from += 50) {
      await store.ingest(writer.batch(from, Math.min(from + 49, writer.events.length)), NOW);
    }
  }
  return [porch, hall];
}

/** What a person would look up by hand. */
function matches(event: CentralEvent, filter: EventFilter, all: readonly CentralEvent[]): boolean {
  const { types, catId, collar, agent, from, to } = filter;
  if (types !== undefined && !types.includes(event.type)) return false;
  if (collar !== undefined && collarOf(event) !== collar) return false;
  if (agent !== undefined && event.agent !== agent) return false;
  if (from !== undefined && event.time < from) return false;
  if (to !== undefined && event.time >= to) return false;
  if (catId === undefined) return true;
  const meanings = all.map((one) => catModel.meaning(one));
  const wearings = catModel.wearings(meanings.flatMap((one) => (one.type === 'assigned' ? [one.assignment] : [])));
  const named = (JSON.parse(event.data) as { catId?: number }).catId;
  return (named ?? wearings.wearer(collarOf(event) ?? '', catModel.key(event))) === catId;
}

const FILTERS: readonly EventFilter[] = [
  {},
  { catId: 1 },
  { catId: 2, types: ['collard.cat.moved'] },
  { catId: 2, collar: 'B' },
  { catId: 1, agent: 'hall', from: at(3), to: at(20) },
  { collar: 'A' },
  { collar: 'A', types: ['collard.cat.moved', 'collard.meow.started'] },
  { collar: 'B', agent: 'hall' },
  { agent: 'hall', types: ['collard.cat.moved'] },
  { agent: 'porch', to: at(4) },
  { agent: 'nobody' },
  { types: ['collard.collar.assigned', 'collard.cat.moved'], from: at(0) },
  { types: [] },
  { collar: 'A', types: ['collard.battery.low'] },
];

/** Over a network each page takes long. */
const LIMITS = engine === 'sqlite' ? [1, 7, 1_000] : [7];

describe('events', () => {
  it('are the same in every order and page size, whatever is asked for', async () => {
    await fill();
    const all = (await store.events({ limit: 1_000 })).events;
    for (const filter of FILTERS) {
      const wanted = all.filter((event) => matches(event, filter, all)).map(id);
      for (const limit of LIMITS) {
        const newest = await paged((before) => store.newest({ ...filter, limit, ...(before ? { before } : {}) }));
        const oldest = await paged((after) => store.oldest({ ...filter, limit, ...(after ? { after } : {}) }));
        const byPosition = await paged((after) =>
          store.events({ ...filter, limit, ...(after ? { after: decodeCursor(after) } : {}) }),
        );
        const what = JSON.stringify({ ...filter, limit });
        expect(oldest, what).toEqual([...newest].reverse());
        expect([...oldest].sort(), what).toEqual([...wanted].sort());
        expect([...byPosition].sort(), what).toEqual([...wanted].sort());
      }
    }
    const times = (await store.oldest({ limit: 1_000 })).events.map(({ time }) => time);
    expect(times).toEqual([...times].sort());
  });

  it('that are rare are found behind many others, in either order', async () => {
    const porch = createWriter('porch', epochId(1));
    porch.add('battery.low', 'collar/A', { percent: 9 }, 0);
    for (let n = 1; n < 5_000; n += 1) porch.add('meow.started', 'collar/A', { level: 1 }, n);
    porch.add('battery.low', 'collar/A', { percent: 8 }, 5_000);
    for (let from = 1; from < 5_000; from += 500) await store.ingest(porch.batch(from, from + 499), NOW);
    await store.ingest(porch.batch(5_001, 5_001), NOW);
    const rare = { collar: 'A', types: ['collard.battery.low'] };
    for (const limit of [1, 2, 100]) {
      const seqs = [1, 5_001].slice(0, limit);
      expect((await store.oldest({ ...rare, limit })).events.map(({ seq }) => seq)).toEqual(seqs);
      expect((await store.newest({ ...rare, limit })).events).toHaveLength(seqs.length);
    }
    // More than one window of positions.
    const positions = await store.events({ ...rare, limit: 2 });
    expect(positions.events.map(({ seq }) => seq)).toEqual([1, 5_001]);
  });

  it('are read by their key', async () => {
    const [porch] = await fill();
    expect(await store.event(epochId(1), 3)).toMatchObject({ ...porch?.events[2], agent: 'porch' });
    expect(await store.event(epochId(1), 9_999)).toBeNull();
    expect(await store.event(epochId(9), 1)).toBeNull();
  });
});
