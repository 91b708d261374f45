/** The driver of servers over a scripted wire. In the files of SQLite, since no server is asked. */
import { CompiledQuery, Kysely, MysqlAdapter, MysqlIntrospector, MysqlQueryCompiler } from 'kysely';
import { expect, it } from 'vitest';
import { askOnce, createServerDriver, type Server } from '../../../src/central/store/server-driver.ts';
import type { Tables } from '../../../src/central/store/tables.ts';
import { transact } from '../../../src/central/store/transact.ts';

/** Each statement is undone in favour of another one as often as the script says. */
function scripted(undone: number, victim = 'change') {
  let isCut = false;
  const asked: string[] = [];
  let left = undone;
  const run = async (text: string) => {
    asked.push(text);
    if (text === victim && left > 0) {
      left -= 1;
      throw new Error('deadlock');
    }
    return { rows: [], affected: 1 };
  };
  const server: Server = {
    name: 'scripted',
    hurried: () => false,
    meaningOf: () => 'again',
    wires: {
      take: async () => ({
        run,
        release: (cut) => {
          isCut = cut;
        },
      }),
      end: async () => undefined,
    },
  };
  return { asked, server, driver: createServerDriver(server), cut: () => isCut };
}

it('a statement that is a transaction by itself, and was undone, is made again', async () => {
  const { asked, driver } = scripted(3);
  const connection = await driver.acquireConnection();
  expect(await connection.executeQuery(CompiledQuery.raw('change'))).toMatchObject({ numAffectedRows: 1n });
  expect(asked).toEqual(['change', 'change', 'change', 'change']);
});

it('a statement of a transaction is not: all of it was undone', async () => {
  const { asked, driver } = scripted(1);
  const connection = await driver.acquireConnection();
  await driver.beginTransaction(connection, {});
  await expect(connection.executeQuery(CompiledQuery.raw('change'))).rejects.toMatchObject({ code: 'STORE_AGAIN' });
  await driver.rollbackTransaction(connection);
  await connection.executeQuery(CompiledQuery.raw('change'));
  expect(asked).toEqual(['begin', 'change', 'rollback', 'change']);
});

it('a transaction of which a part was taken back goes on: no statement of it is made again alone', async () => {
  const { asked, driver } = scripted(1);
  const connection = await driver.acquireConnection();
  await driver.beginTransaction(connection, {});
  await connection.executeQuery(CompiledQuery.raw('rollback to savepoint one'));
  await expect(connection.executeQuery(CompiledQuery.raw('change'))).rejects.toMatchObject({ code: 'STORE_AGAIN' });
  await driver.rollbackTransaction(connection);
  expect(asked).toEqual(['begin', 'rollback to savepoint one', 'change', 'rollback']);
});

it('a statement that is always undone, and one that cannot begin a transaction, say that the database is away', async () => {
  const { asked, driver } = scripted(Number.POSITIVE_INFINITY);
  const connection = await driver.acquireConnection();
  const away = { code: 'STORE_AWAY' };
  await expect(connection.executeQuery(CompiledQuery.raw('change'))).rejects.toMatchObject(away);
  expect(asked.length).toBeLessThan(100);
  const behind = scripted(1, 'begin');
  const other = await behind.driver.acquireConnection();
  await expect(behind.driver.beginTransaction(other, {})).rejects.toMatchObject(away);
  expect(behind.cut()).toBe(false);
  await behind.driver.releaseConnection(other);
  expect(behind.cut()).toBe(true);
});

it('a transaction is made again where it was undone, and one that is always undone says that the database is away', async () => {
  const begun = (undone: number) => {
    const { asked, driver } = scripted(undone);
    const db = new Kysely<Tables>({
      dialect: {
        createDriver: () => driver,
        createAdapter: () => new MysqlAdapter(),
        createQueryCompiler: () => new MysqlQueryCompiler(),
        createIntrospector: (of) => new MysqlIntrospector(of),
      },
    });
    return { asked, done: transact(db, (trx) => trx.executeQuery(CompiledQuery.raw('change'))) };
  };
  const twice = begun(1);
  await twice.done;
  expect(twice.asked).toEqual(['begin', 'change', 'rollback', 'begin', 'change', 'commit']);
  const never = begun(Number.POSITIVE_INFINITY);
  await expect(never.done).rejects.toMatchObject({ code: 'STORE_AWAY', message: 'scripted: deadlock' });
  expect(never.asked.length).toBeLessThan(100);
});

it('a connection that is undone while it is looked at, or at its first question, is of a server that is away', async () => {
  const { server } = scripted(Number.POSITIVE_INFINITY);
  const away = { code: 'STORE_AWAY', message: 'scripted: deadlock' };
  await expect(askOnce(server, 'change')).rejects.toMatchObject(away);
  const behind = { ...server, wires: { ...server.wires, take: () => Promise.reject(new Error('deadlock')) } };
  await expect(askOnce(behind, 'change')).rejects.toMatchObject(away);
  await expect(createServerDriver(behind).acquireConnection()).rejects.toMatchObject(away);
});
