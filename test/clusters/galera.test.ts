/** The store on three nodes of one cluster: it moves to one that lives, and writers on two nodes do no harm. */
import { readFileSync } from 'node:fs';
import { Kysely } from 'kysely';
import { createConnection } from 'mysql2/promise';
import { expect, inject, it, onTestFinished } from 'vitest';
import { openReplayStore, openStore } from '../../src/central/open-store.ts';
import { migrate } from '../../src/central/store/migrate.ts';
import { openDialect } from '../../src/central/store/open-dialect.ts';
import type { Tables } from '../../src/central/store/tables.ts';
import { takeLock, transact } from '../../src/central/store/transact.ts';
import { freshUrl, rowsOf } from '../central/engines/fresh.ts';
import { createWriter, epochId, meowing, NOW } from '../central/store/events.ts';
import { until } from '../servers.ts';

/** The same database by way of some of the nodes only. The other tests of this cluster work on the first. */
function nodes(url: string, ...numbers: readonly number[]): string {
  const [, scheme = '', hosts = '', end = ''] = /^(.*@)([^/]*)(\/.*)$/.exec(url) ?? [];
  return `${scheme}${numbers.map((no) => hosts.split(',')[no - 1]).join(',')}${end}`;
}

const admin = (no: number, statement: string) => rowsOf(nodes(inject('storeServer')?.admin ?? '', no), statement);

it('two writers on two nodes take turns where one must wait for the other', async () => {
  const url = await freshUrl();
  const open = async (no: number) => {
    const dialect = await openDialect(nodes(url, no), undefined);
    const db = new Kysely<Tables>({ dialect: dialect.kysely });
    onTestFinished(() => db.destroy());
    await migrate(db, dialect);
    return db;
  };
  const [here, there] = [await open(1), await open(3)];
  const own = (db: Kysely<Tables>) => db.selectFrom('meta').select('value').where('name', 'like', 'turn.%').execute();
  // Each turn reads what all turns have written, and writes a row that no other one writes.
  const turns = async (db: Kysely<Tables>, name: string) => {
    for (let i = 0; i < 15; i += 1) {
      await transact(db, async (trx) => {
        await takeLock(trx, 'registry');
        const value = String((await own(trx)).length);
        await trx
          .insertInto('meta')
          .values({ name: `turn.${name}.${i}`, value })
          .execute();
      });
    }
  };
  await Promise.all([turns(here, 'here'), turns(there, 'there')]);
  const values = (await own(here)).map(({ value }) => Number(value)).sort((a, b) => a - b);
  expect(values).toEqual(Array.from({ length: 30 }, (_, i) => i));
});

it('two centrals on two nodes store and fold as one', async () => {
  const url = await freshUrl();
  const [here, there] = [await openStore({ url: nodes(url, 1) }), await openStore({ url: nodes(url, 3) })];
  onTestFinished(async () => {
    await Promise.all([here.close(), there.close()]);
  });
  expect(there.incarnation).toBe(here.incarnation);
  const work = async (store: typeof here, agent: string, no: number) => {
    const events = meowing(agent, epochId(no), 60);
    for (let from = 1; from < 60; from += 6) {
      await store.ingest(events.batch(from, from + 5), NOW);
      await store.project(100);
    }
  };
  const cats = createWriter('attic', epochId(4));
  cats.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Mia' }, 0);
  cats.add('collar.assigned', 'cat/1', { catId: 1, collar: 'C0FFEE01' }, 0);
  await there.ingest(cats.batch(1, 2), NOW);
  await Promise.all([work(here, 'porch', 1), work(there, 'shed', 2)]);
  const replay = await openReplayStore({ url: nodes(url, 1) });
  onTestFinished(() => replay.close());
  const { live, rebuilt, events } = await replay.verifyModels(() => undefined);
  expect(events).toBe(122);
  expect(live).toBe(rebuilt);
  for (const store of [here, there]) {
    expect((await store.counts()).events).toBe(122);
  }
  // What one has committed the other reads at once.
  const more = meowing('yard', epochId(3), 40);
  for (let seq = 1; seq <= 40; seq += 1) {
    await here.ingest(more.batch(seq, seq), NOW);
    expect((await there.counts()).events).toBe(122 + seq);
  }
});

it('a node that takes no part in its cluster is left for another one', async () => {
  const url = await freshUrl();
  const [row] = await admin(3, 'select @@wsrep_cluster_address as address');
  await admin(3, "set global wsrep_cluster_address = ''");
  await expect(openStore({ url: nodes(url, 3) })).rejects.toMatchObject({
    code: 'STORE_AWAY',
    message: expect.stringContaining('wsrep_ready'),
  });
  const store = await openStore({ url: nodes(url, 3, 1) });
  await store.ingest(meowing('porch', epochId(1), 3).batch(1, 3), NOW);
  expect((await store.counts()).events).toBe(3);
  await store.close();
  // Our own driver refuses such a node.
  const { port } = new URL(nodes(url, 3));
  const person = await createConnection({ host: '127.0.0.1', port: Number(port), user: 'root' });
  await person.query('set global wsrep_cluster_address = ?', [String(row?.address)]);
  await person.end();
  await until(
    'it is back',
    () =>
      openStore({ url: nodes(url, 3) }).then(
        (other) => other.close().then(() => true),
        () => false,
      ),
    60_000,
  );
});

it('a store whose node is killed has all that was answered, and goes on at the next', async () => {
  const url = await freshUrl();
  const store = await openStore({ url: nodes(url, 2, 3) });
  onTestFinished(() => store.close());
  const before = store.incarnation;
  const porch = meowing('porch', epochId(1), 400);
  const [row] = await admin(2, 'select @@pid_file as path');
  const pid = Number(readFileSync(String(row?.path), 'utf8'));
  let stored = 0;
  let failed = 0;
  while (stored < 400) {
    if (stored === 200 && failed === 0) process.kill(pid, 'SIGKILL');
    try {
      stored = (await store.ingest(porch.batch(stored + 1, stored + 20), NOW)).stored.seq;
    } catch (error) {
      expect(error).toMatchObject({ code: 'STORE_AWAY' });
      failed += 1;
      await until(
        'the next node takes over',
        () =>
          store.recover().then(
            () => true,
            () => false,
          ),
        30_000,
      );
    }
  }
  expect(failed).toBeGreaterThan(0);
  expect(store.incarnation).toBe(before);
  const rows = await rowsOf(nodes(url, 1), 'select seq, position from event order by seq');
  expect(rows.map(({ seq, position }) => [seq, position])).toEqual(porch.events.map(({ seq }) => [seq, seq]));
});
