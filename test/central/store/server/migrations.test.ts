/** A schema on a server: whole in the end, wherever a start dies, and made once, whoever starts. */
import { Kysely, type QueryResult } from 'kysely';
import { describe, expect, inject, it } from 'vitest';
import { openStore } from '../../../../src/central/open-store.ts';
import { migrate, pendingChanges } from '../../../../src/central/store/migrate.ts';
import { MIGRATIONS } from '../../../../src/central/store/migrations.ts';
import { openDialect } from '../../../../src/central/store/open-dialect.ts';
import type { Tables } from '../../../../src/central/store/tables.ts';
import { rowsOf } from '../../engines/fresh.ts';
import { epochId, meowing, NOW } from '../events.ts';

async function emptyDatabase(name: string): Promise<string> {
  const server = inject('storeServer');
  if (server === undefined) throw new Error('no server was started');
  await rowsOf(server.admin, `create database ${name}`);
  return server.url.replace('{}', name);
}

/** Migrates in a process that dies before its `at`-th statement reaches the server. False: it was done before. */
async function migrateAndDie(url: string, at: number): Promise<boolean> {
  const dialect = await openDialect(url, undefined);
  const { kysely } = dialect;
  let count = 0;
  const dying = {
    ...kysely,
    createDriver: () => {
      const driver = kysely.createDriver();
      const acquire = driver.acquireConnection.bind(driver);
      driver.acquireConnection = async () => {
        const connection = await acquire();
        const execute = connection.executeQuery.bind(connection);
        connection.executeQuery = <R>(query: Parameters<typeof execute>[0]): Promise<QueryResult<R>> => {
          count += 1;
          if (count >= at) throw new Error('the process is gone');
          return execute<R>(query);
        };
        return connection;
      };
      return driver;
    },
  };
  const db = new Kysely<Tables>({ dialect: dying });
  try {
    await migrate(db, dialect);
    return false;
  } catch (error) {
    expect(String(error)).toContain('the process is gone');
    return true;
  } finally {
    await db.destroy();
  }
}

describe('a schema', () => {
  it('is whole after the next start, wherever one dies', async () => {
    let died = 0;
    // Every seventh statement, another one of every seven each time it is run over the same list.
    for (let at = 2; ; at += 7) {
      const url = await emptyDatabase(`dies${process.pid}_${at}`);
      if (!(await migrateAndDie(url, at))) break;
      died += 1;
      // And once more, a little later.
      await migrateAndDie(url, 12);
      const store = await openStore({ url });
      expect(await store.ingest(meowing('porch', epochId(1), 2).batch(1, 2), NOW)).toMatchObject({ inserted: 2 });
      await store.close();
    }
    expect(died).toBeGreaterThan(4);
  }, 120_000);

  it('is made once where several start together', async () => {
    const url = await emptyDatabase(`starts${process.pid}`);
    const stores = await Promise.all([1, 2, 3, 4].map(() => openStore({ url })));
    for (const store of stores) await store.close();
    expect((await rowsOf(url, 'select name from kysely_migration order by name')).map(({ name }) => name)).toEqual(
      MIGRATIONS.map(({ name }) => name),
    );
    // They are the same store.
    expect(new Set(stores.map(({ incarnation }) => incarnation)).size).toBe(1);
  }, 60_000);

  it('tells what is pending, and changes nothing by that', async () => {
    const url = await emptyDatabase(`pending${process.pid}`);
    const dialect = await openDialect(url, undefined);
    const db = new Kysely<Tables>({ dialect: dialect.kysely });
    const names = async () => (await pendingChanges(db, dialect)).map(({ name }) => name);
    expect(await names()).toEqual(MIGRATIONS.map(({ name }) => name));
    expect(await db.introspection.getTables()).toEqual([]);
    await migrate(db, dialect);
    expect(await names()).toEqual([]);
    await db.destroy();
  });
});
