/** Every shape of a query is served by an index: the plan is read for all combinations of conditions, orders and cursors. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CompiledQuery, Kysely } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catModel } from '../../../src/central/models/cat-model.ts';
import { openStore } from '../../../src/central/open-store.ts';
import { decodeCursor } from '../../../src/central/store/cursor.ts';
import { createReader } from '../../../src/central/store/read.ts';
import { createEpochNames } from '../../../src/central/store/rows.ts';
import { openSqlite } from '../../../src/central/store/sqlite.ts';
import type { EventFilter, ReadStore } from '../../../src/central/store/store.ts';
import type { Tables } from '../../../src/central/store/tables.ts';
import { at, createWriter, epochId, meowing, NOW } from './events.ts';
import { sqlitePlans } from './plans.ts';

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
    (reader, filter) => reader.events({ ...filter, limit: 100, after: decodeCursor('p1-5') }),
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

describe('on SQLite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'collard-plans-'));
  const queries: CompiledQuery[] = [];
  let db: Kysely<Tables>;
  let reader: ReadStore;

  beforeAll(async () => {
    const path = join(folder, 'central.db');
    const store = await openStore({ url: `sqlite:${path}` });
    const porch = meowing('porch', epochId(1), 1_000);
    const hall = createWriter('hall', epochId(2));
    hall.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Mia' }, 0);
    hall.add('collar.assigned', 'cat/1', { catId: 1, collar: 'C0FFEE01' }, 0);
    hall.add('collar.assigned', 'cat/1', { catId: 1, collar: 'C0FFEE02' }, 500);
    for (let from = 1; from < 1_000; from += 500) await store.ingest(porch.batch(from, from + 499), NOW);
    await store.ingest(hall.batch(1, 3), NOW);
    await store.close();
    const log = (event: { readonly level: string; readonly query: CompiledQuery }) => void queries.push(event.query);
    db = new Kysely<Tables>({ dialect: openSqlite(path).kysely, log });
    reader = createReader(db, catModel, createEpochNames());
  });

  afterAll(async () => {
    await db.destroy();
    rmSync(folder, { recursive: true });
  });

  /** The queries on events that `read` makes, with what is wrong with their plans. */
  async function faultsOf(read: () => Promise<unknown>) {
    queries.length = 0;
    await read();
    const made = queries.filter(({ sql }) => /from "event"/.test(sql));
    const faults: string[] = [];
    for (const query of made) {
      const steps = await sqlitePlans.steps(db, query);
      const first = /order by .* limit \?/.test(query.sql) && !/from "event" where/.test(query.sql);
      for (const step of sqlitePlans.faults(steps, first)) faults.push(`${step}: ${query.sql}`);
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

  it('one type of one collar, and one agent of one type, are found in indexes alone', async () => {
    for (const filter of [{ collar: 'C0FFEE01' }, { agent: 'porch' }]) {
      queries.length = 0;
      await reader.newest({ ...filter, types: ['collard.meow.ended'], limit: 100 });
      const query = queries.find(({ sql }) => sql.startsWith('select "time"'));
      const steps = query === undefined ? [] : await sqlitePlans.steps(db, query);
      expect(steps).toEqual([expect.stringContaining('USING COVERING INDEX event_')]);
    }
  });

  it('one event is found by its key', async () => {
    const found = await faultsOf(() => reader.event(epochId(1), 7));
    expect(found).toEqual({ made: 1, faults: [] });
  });

  it('what scans or sorts is told', async () => {
    for (const column of ['data', 'clock'] as const) {
      const found = await faultsOf(() => db.selectFrom('event').selectAll().orderBy(column).limit(10).execute());
      expect(found.faults).toHaveLength(2);
    }
  });
});
