/** What databases that are servers do differently by default, and must not do here. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../../../src/central/open-store.ts';
import type { CentralEvent, Cursor, Store, Work } from '../../../../src/central/store/store.ts';
import { shardOf } from '../../../../src/contract/topic.ts';
import { engine, freshUrl, insertRows, rowsOf } from '../../engines/fresh.ts';
import { at, createWriter, epochId, meowing, NOW } from '../events.ts';

let url: string;
let store: Store;

beforeEach(async () => {
  url = await freshUrl();
  store = await openStore({ url });
});
afterEach(() => store.close());

/** Texts that most collations take for the same, and some databases cut or refuse. */
const LOOK_ALIKE = [
  'cafe',
  'café',
  'cafe\u0301',
  'Cafe',
  'cafe ',
  'cafe\t',
  'ＣＡＦＥ',
  '🐈',
  '🐈‍⬛',
  'ß',
  'ss',
  'cafe\0',
  'cafe\u0001',
  'cafe\u0001\u0002',
];

describe('texts', () => {
  it('that look alike stay apart, and come back as they came', async () => {
    const porch = createWriter('porch', epochId(1));
    for (const [i, text] of LOOK_ALIKE.entries()) porch.add('battery.low', `collar/${text}`, { percent: i }, i);
    await store.ingest(porch.batch(1, LOOK_ALIKE.length), NOW);
    for (const [i, collar] of LOOK_ALIKE.entries()) {
      const found = (await store.newest({ collar, limit: 10 })).events;
      expect(
        found.map(({ seq, subject }) => [seq, subject]),
        JSON.stringify(collar),
      ).toEqual([[i + 1, `collar/${collar}`]]);
    }
    const { collars } = { collars: (await store.unassignedCollars()).map(({ collar }) => collar) };
    expect([...collars].sort()).toEqual([...LOOK_ALIKE].sort());
  });

  it('are in the order of their bytes, whatever the locale', async () => {
    const columns = await rowsOf(
      url,
      engine === 'mariadb'
        ? `select table_name as t, column_name as c, collation_name as k from information_schema.columns
           where table_schema = database() and collation_name is not null and table_name not like 'kysely%'`
        : `select table_name as t, column_name as c, collation_name as k from information_schema.columns
           where table_schema = 'public' and data_type in ('text', 'character varying', 'character')
           and table_name not like 'kysely%' and table_name not in ('cat', 'meowing')`,
    );
    expect(columns.length).toBeGreaterThan(40);
    const views = ['cat', 'meowing'];
    const other = columns.filter(
      ({ t, k }) => !views.includes(String(t)) && k !== (engine === 'mariadb' ? 'utf8mb4_nopad_bin' : 'C'),
    );
    expect(other).toEqual([]);
  });

  it('that are too long are an error, and nothing of their batch is stored', async () => {
    const [row] = await rowsOf(url, 'select * from agent');
    const long = 'x'.repeat(1_000);
    await expect(
      insertRows(url, 'agent', [
        { ...row, no: 90, name: 'good' },
        { ...row, no: 91, name: long },
      ]),
    ).rejects.toThrow(/too long/);
    expect(await rowsOf(url, `select no from agent where no >= 90`)).toEqual([]);
  });

  it('of data are kept up to the longest that an event may have', async () => {
    const porch = createWriter('porch', epochId(1));
    const reason = '🐈'.repeat(32_000);
    porch.add('sensor.failed', null, { source: 'gpio', reason }, 0);
    await store.ingest(porch.batch(1, 1), NOW);
    expect((await store.events({ limit: 1 })).events[0]?.data).toBe(porch.events[0]?.data);
  });
});

describe('numbers', () => {
  it('come back as they came', async () => {
    const values = [0.1 + 0.2, 1 / 3, 123_456_789.123_456_79, -0.000_001_234_5, 9_007_199_254_740_991, 1e300];
    const porch = createWriter('porch', epochId(1));
    for (const [i, monoMs] of values.entries()) {
      porch.add('battery.low', null, { percent: i }, i);
      porch.events[i] = { ...(porch.events[i] as (typeof porch.events)[number]), clock: 'unsynced', boot: 'b', monoMs };
    }
    const { chainOk, stored } = await store.ingest(porch.batch(1, values.length), NOW);
    expect([chainOk, stored.seq]).toEqual([true, values.length]);
    expect((await store.events({ limit: 10 })).events.map(({ monoMs }) => monoMs)).toEqual(values);
  });
});

/** Follows the arrivals until all are seen, and fails at the first that was skipped. */
async function follow(reader: Store, total: number): Promise<readonly CentralEvent[]> {
  const seen: CentralEvent[] = [];
  let cursor: Cursor = new Map();
  while (seen.length < total) {
    const { events, next } = await reader.arrivals(cursor, 50);
    for (const event of events) {
      const before = seen.filter(({ shard }) => shard === event.shard).length;
      expect(event.arrival).toBe(before + 1);
      seen.push(event);
    }
    cursor = next;
  }
  return seen;
}

const EACH = 120;
const all = Array.from({ length: 400 }, (_, i) => `agent${i}`);

/** Four agents, on as many shards or on one. */
function agents(shards: 4 | 1): readonly string[] {
  const first = shardOf(all[0] ?? '');
  if (shards === 1) return all.filter((name) => shardOf(name) === first).slice(0, 4);
  return all.filter((name, i) => all.findIndex((other) => shardOf(other) === shardOf(name)) === i).slice(0, 4);
}

describe('four writers at once', () => {
  it.each([4, 1] as const)('on shards: %i, give no number twice and skip none', async (shards) => {
    const writers = agents(shards).map((name, i) => meowing(name, epochId(i + 1), EACH));
    expect(new Set(writers.map(({ agent }) => shardOf(agent))).size).toBe(shards);
    const following = follow(store, 4 * EACH);
    await Promise.all(
      writers.map(async (writer) => {
        for (let from = 1; from <= EACH; from += 10) await store.ingest(writer.batch(from, from + 9), NOW);
      }),
    );
    await following;
    for (const writer of writers) {
      const { events } = await store.events({ limit: 1_000, agent: writer.agent });
      expect(events.map(({ seq }) => seq)).toEqual(writer.events.map(({ seq }) => seq));
    }
    const numbers = await rowsOf(url, 'select shard, arrival, position from event order by shard, position');
    for (const shard of new Set(numbers.map((row) => row.shard))) {
      const own = numbers.filter((row) => row.shard === shard);
      expect(own.map(({ position }) => position)).toEqual(own.map((_, i) => i + 1));
    }
  });

  it('for many agents each, in opposite orders and with strangers between, store all of it and skip no number', async () => {
    const other = await openStore({ url, shared: true });
    const names = (word: string, like: readonly string[] = []) =>
      Array.from({ length: 20 }, (_, i) => {
        const shard = shardOf(like[i] ?? `${word}${i}`);
        const all = Array.from({ length: 2_000 }, (_, n) => `${word}${i + n}`);
        return all.find((name) => shardOf(name) === shard && !like.includes(name)) ?? '';
      });
    const own = names('porch');
    const shared = names('shed', own).reverse();
    const write = async (to: Store, agents: readonly string[], first: number) => {
      const writers = agents.map((name, i) => meowing(name, epochId(first + i), 20));
      for (let from = 1; from <= 20; from += 5) {
        const works = writers.flatMap((writer): Work[] => [
          { type: 'batch', batch: writer.batch(from, from + 4) },
          {
            type: 'quarantine',
            message: { agent: '', topic: writer.agent, payload: Buffer.of(from), kind: 'unreadable', reason: '' },
          },
        ]);
        const outcomes = await to.ingestAll(works, NOW);
        expect(outcomes.filter(({ type }) => type === 'ingested')).toHaveLength(20);
      }
    };
    await Promise.all([write(store, own, 1), write(other, shared, 101)]);
    expect(await other.counts()).toMatchObject({ events: 800, quarantined: 160 });
    await other.close();
    const numbers = await rowsOf(url, 'select shard, position from event order by shard, position');
    for (const shard of new Set(numbers.map((row) => row.shard))) {
      const positions = numbers.filter((row) => row.shard === shard).map(({ position }) => Number(position));
      expect(positions).toEqual(positions.map((_, i) => i + 1));
    }
  });

  it('in processes of their own take the shard from each other, and store each event once', async () => {
    const porch = meowing('porch', epochId(1), 400);
    const other = await openStore({ url });
    let fenced = 0;
    const write = async (own: Store, first: number) => {
      for (let from = first; from <= 400; from += 20) {
        await own.ingest(porch.batch(from, from + 9), NOW).catch((error: { code?: string }) => {
          if (error.code !== 'FENCED') throw error;
          fenced += 1;
        });
      }
    };
    await Promise.all([write(store, 1), write(other, 11)]);
    await other.close();
    expect(fenced).toBeGreaterThan(0);
    const last = await openStore({ url });
    for (let from = 1; from <= 400; from += 100) await last.ingest(porch.batch(from, from + 99), NOW);
    expect(
      (await last.sync('porch', { epoch: epochId(1), firstSeq: 1, lastSeq: 400, chain: porch.chain(400) }, NOW)).seq,
    ).toBe(400);
    const rows = await rowsOf(url, 'select seq, arrival, position from event order by position');
    expect(rows.map(({ seq, position }) => [seq, position])).toEqual(porch.events.map(({ seq }) => [seq, seq]));
    expect(rows.map(({ arrival }) => Number(arrival)).sort((a, b) => a - b)).toEqual(
      porch.events.map(({ seq }) => seq),
    );
    await last.close();
  });

  it('of commands decide one after the other', async () => {
    const add = () =>
      store.command(NOW, async (view) => {
        const catId = await view.nextCatId();
        const data = JSON.stringify({ catId, oldName: null, newName: `cat ${catId}` });
        const when = { time: at(catId), clock: 'synced', boot: null, monoMs: null } as const;
        return {
          result: catId,
          events: [{ type: 'collard.cat.named', version: 1, subject: `cat/${catId}`, ...when, data }],
        };
      });
    const ids = await Promise.all([1, 2, 3, 4, 5, 6].map(add));
    expect([...ids].sort()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await store.cats(new Date(NOW))).toHaveLength(6);
  });
});
