/** Every shape of a query is served by an index: the plan is read for all combinations of conditions, orders and cursors. */
import { type CompiledQuery, Kysely } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catModel } from '../../../src/central/models/cat-model.ts';
import { openStore } from '../../../src/central/open-store.ts';
import { openDialect } from '../../../src/central/store/open-dialect.ts';
import { createReader } from '../../../src/central/store/read.ts';
import { createEpochNames } from '../../../src/central/store/rows.ts';
import type { EventFilter, ReadStore } from '../../../src/central/store/store.ts';
import type { Tables } from '../../../src/central/store/tables.ts';
import { shardOf } from '../../../src/contract/topic.ts';
import { engine, freshUrl, rowsOf } from '../engines/fresh.ts';
import { at, createWriter, epochId, NOW } from './events.ts';
import { PLANS } from './plans.ts';

/** Of each agent: a collar has so many that sorting them costs more than an index. */
const EVENTS = engine === 'mariadb' ? { porch: 6_000, roof: 2_000 } : { porch: 700, roof: 300 };
/** PostgreSQL reads a small table as a whole, and is right: there it holds so many events more, which nobody asks for. */
const OTHERS = 60_000;
const COLLARS = 10;
const { series, analyze, steps: stepsOf, faults: faultsIn, inIndexAlone } = PLANS[engine];

/** All sets of these conditions. */
const CONDITIONS: readonly EventFilter[] = [
  { catId: 1 },
  { collar: 'C0FFEE01' },
  { agent: 'porch' },
  { types: ['collard.meow.ended'] },
  { types: ['collard.meow.ended', 'collard.cat.moved'] },
  { from: at(10) },
  { to: at(900) },
];
const FILTERS = Array.from(
  { length: 2 ** CONDITIONS.length },
  (_, bits): EventFilter => Object.assign({}, ...CONDITIONS.filter((_condition, i) => (bits >> i) % 2 === 1)),
);

type Shape = readonly [name: string, read: (reader: ReadStore, filter: EventFilter) => Promise<unknown>];
const SHAPES: readonly Shape[] = [
  ['by position', (reader, filter) => reader.events({ ...filter, limit: 100 })],
  [
    'by position, from a cursor',
    (reader, filter) => reader.events({ ...filter, limit: 100, after: new Map([[shardOf('porch'), 5]]) }),
  ],
  [
    'newest first',
    async (reader, filter) => {
      const { next } = await reader.newest({ ...filter, limit: 7 });
      await reader.newest({ ...filter, limit: 100, ...(next === '' ? {} : { before: next }) });
    },
  ],
  [
    'oldest first',
    async (reader, filter) => {
      const { next } = await reader.oldest({ ...filter, limit: 7 });
      await reader.oldest({ ...filter, limit: 100, ...(next === '' ? {} : { after: next }) });
    },
  ],
];

describe('a plan', () => {
  const queries: CompiledQuery[] = [];
  let db: Kysely<Tables>;
  let reader: ReadStore;

  beforeAll(async () => {
    const url = await freshUrl();
    const store = await openStore({ url });
    for (const [n, [agent, count]] of Object.entries(EVENTS).entries()) {
      const writer = createWriter(agent, epochId(n + 1));
      for (let i = 0; i < count; i += 1) {
        const collar = `collar/C0FFEE0${i % COLLARS}`;
        const second = i * 2 + n;
        if (i % 50 === 0) writer.add('battery.low', collar, { percent: 9 }, second);
        else if (i % 3 === 0) writer.add('cat.moved', collar, { from: null, to: 'roof' }, second);
        else if (i % 3 === 1) writer.add('meow.started', collar, { level: 1 }, second);
        else writer.add('meow.ended', collar, { durationMs: 400, peakG: 2, readings: 9, place: null }, second);
      }
      for (let from = 0; from < writer.events.length; from += 500) {
        await store.ingest({ agent, events: writer.events.slice(from, from + 500), chain: null }, NOW);
      }
    }
    const hall = createWriter('hall', epochId(9));
    hall.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Mia' }, 0);
    hall.add('collar.assigned', 'cat/1', { catId: 1, collar: 'C0FFEE01' }, 0);
    hall.add('collar.assigned', 'cat/1', { catId: 1, collar: 'C0FFEE02' }, 500);
    await store.ingest(hall.batch(1, 3), NOW);
    await store.close();
    if (series !== null) {
      await rowsOf(
        url,
        `insert into event select (select max(no) from epoch), 1000 + n, 999, 99, n, n, 'other', 1, 'other', null,
        '2020-01-01T00:00:00.000Z', 'synced', null, null, '{}' from ${series(OTHERS)}`,
      );
    }
    await rowsOf(url, analyze);
    const log = (event: { readonly level: string; readonly query: CompiledQuery }) => void queries.push(event.query);
    db = new Kysely<Tables>({ dialect: (await openDialect(url, undefined)).kysely, log });
    reader = createReader(db, catModel, createEpochNames());
  });

  afterAll(() => db.destroy());

  /** The queries on events that `read` makes, with what is wrong with their plans. */
  async function faultsOf(read: () => Promise<unknown>) {
    queries.length = 0;
    await read();
    const made = queries.filter(({ sql }) => /from ["`]event["`]/.test(sql));
    const faults: string[] = [];
    for (const query of made) {
      const steps = await stepsOf(db, query);
      const first = /order by .* limit (\?|\$\d+)/.test(query.sql) && !/from ["`]event["`] where/.test(query.sql);
      for (const step of faultsIn(steps, first)) faults.push(`${step}: ${query.sql}`);
    }
    return { made: made.length, faults: [...new Set(faults)] };
  }

  it.each(SHAPES)('no page %s scans or sorts, whatever its conditions', async (_name, read) => {
    let made = 0;
    for (const filter of FILTERS) {
      const found = await faultsOf(() => read(reader, filter));
      made += found.made;
      expect(found.faults, JSON.stringify(filter)).toEqual([]);
    }
    expect(made).toBeGreaterThan(FILTERS.length);
  });

  it('one type of one collar, of one agent too, is found in an index alone', async () => {
    for (const filter of [{ collar: 'C0FFEE01' }, { agent: 'porch' }, { collar: 'C0FFEE01', agent: 'porch' }]) {
      queries.length = 0;
      await reader.newest({ ...filter, types: ['collard.battery.low'], limit: 100 });
      const query = queries.find(({ sql }) => /^select ["`]time/.test(sql));
      const steps = query === undefined ? [] : await stepsOf(db, query);
      expect(steps).toContainEqual(expect.stringMatching(inIndexAlone));
      expect(faultsIn(steps, false)).toEqual([]);
    }
  });

  it('the newest event of each agent is found without reading the others', async () => {
    const found = await faultsOf(() => reader.agents());
    expect(found).toEqual({ made: 1, faults: [] });
  });

  it('one event is found by its key', async () => {
    const found = await faultsOf(() => reader.event(epochId(1), 7));
    expect(found).toEqual({ made: 1, faults: [] });
  });

  it('what scans or sorts is told', async () => {
    for (const column of ['data', 'clock'] as const) {
      const found = await faultsOf(() => db.selectFrom('event').selectAll().orderBy(column).limit(10).execute());
      expect(found.faults.length, column).toBeGreaterThanOrEqual(engine === 'mariadb' ? 1 : 2);
    }
  });
});
