/** A database that dies, comes back, or is another one than before. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../../../src/central/open-store.ts';
import type { Store } from '../../../../src/central/store/store.ts';
import { until } from '../../../servers.ts';
import { engine, rowsOf } from '../../engines/fresh.ts';
import { type DatabaseServer, startDatabase } from '../../engines/servers.ts';
import { epochId, meowing, NOW } from '../events.ts';

let server: DatabaseServer;
let url: string;
let store: Store;
let made = 0;

beforeAll(async () => {
  server = await startDatabase(engine === 'mariadb' ? 'mariadb' : 'postgres');
});
afterAll(() => server.stop());
beforeEach(async () => {
  made += 1;
  await server.run(`create database away${made}`);
  url = server.url(`away${made}`);
  store = await openStore({ url });
});
afterEach(() => store.close());

const away = { code: 'STORE_AWAY' };

/** Asks as the loops do. */
const back = () =>
  until('the database is there again', () =>
    store.recover().then(
      () => true,
      (error: unknown) => {
        expect(error).toMatchObject(away);
        return false;
      },
    ),
  );

describe('a server that is killed', () => {
  it('has all that was answered, and goes on where it was', async () => {
    const porch = meowing('porch', epochId(1), 3_000);
    const before = store.incarnation;
    let stored = 0;
    let failed = 0;
    const killing = (async () => {
      for (let n = 1; n <= 3; n += 1) {
        await until('more is stored', () => stored >= n * 600);
        await server.kill();
        await until('it is missed', () => failed >= n);
        await server.restart();
      }
    })();
    while (stored < 3_000) {
      try {
        stored = (await store.ingest(porch.batch(stored + 1, stored + 20), NOW)).stored.seq;
      } catch (error) {
        expect(error).toMatchObject(away);
        failed += 1;
        await back();
        const kept = await store.sync(
          'porch',
          { epoch: epochId(1), firstSeq: 1, lastSeq: 0, chain: new Uint8Array(32) },
          NOW,
        );
        // What was under way may be stored or not; what was answered is.
        expect(kept.seq).toBeGreaterThanOrEqual(stored);
        stored = kept.seq;
      }
    }
    await killing;
    expect(failed).toBeGreaterThanOrEqual(3);
    const rows = await rowsOf(url, 'select seq, arrival, position from event order by seq');
    expect(rows.map(({ seq, arrival, position }) => [seq, arrival, position])).toEqual(
      porch.events.map(({ seq }) => [seq, seq, seq]),
    );
    expect(store.incarnation).toBe(before);
  }, 120_000);
});

describe('a database that was restored', () => {
  it('is not written to as if it were the one before, and is another incarnation', async () => {
    const before = store.incarnation;
    await store.ingest(meowing('porch', epochId(1), 4).batch(1, 4), NOW);
    await restore();
    await expect(store.counts()).rejects.toMatchObject(away);
    await store.recover();
    expect(store.incarnation).not.toBe(before);
    expect((await store.counts()).events).toBe(4);
    expect((await store.ingest(meowing('porch', epochId(1), 6).batch(3, 6), NOW)).inserted).toBe(2);
  }, 60_000);
});

/** As a dump that is loaded would: the same rows in another database of the same name. */
async function restore(): Promise<void> {
  const name = `away${made}`;
  if (engine === 'postgres') {
    await server.run(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
    await server.run(`create database copy${made} template ${name}`);
    await server.run(`drop database ${name}`);
    await server.run(`alter database copy${made} rename to ${name}`);
    return;
  }
  const madeAt = async () => {
    const [row] = await rowsOf(
      url,
      `select create_time as at from information_schema.tables where table_schema = '${name}' and table_name = 'meta'`,
    );
    return String(row?.at);
  };
  const before = await madeAt();
  // Times of tables are whole seconds.
  await until('the table is younger', async () => {
    await rowsOf(url, 'create or replace table copy like meta');
    await rowsOf(url, 'insert into copy select * from meta');
    await rowsOf(url, 'drop table meta');
    await rowsOf(url, 'rename table copy to meta');
    return (await madeAt()) !== before;
  });
  // Those that are connected would not notice.
  const own = await rowsOf(
    url,
    `select id from information_schema.processlist where db = '${name}' and id <> connection_id()`,
  );
  for (const { id } of own) await server.run(`kill ${String(id)}`);
}

describe('a server that would lose what it stores', () => {
  it('is refused, with the name of the setting', async () => {
    const [setting, unsafe, safe] =
      engine === 'mariadb'
        ? [
            'innodb_flush_log_at_trx_commit',
            'set global innodb_flush_log_at_trx_commit = 2',
            'set global innodb_flush_log_at_trx_commit = 1',
          ]
        : ['fsync', 'alter system set fsync = off', 'alter system set fsync = on'];
    const set = async (statement: string) => {
      await server.run(statement);
      if (engine === 'postgres') await server.run('select pg_reload_conf()');
    };
    await set(unsafe);
    await until('the setting holds', () =>
      openStore({ url }).then(
        (other) => other.close().then(() => false),
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'NOT_DURABLE', message: expect.stringContaining(setting) });
          return true;
        },
      ),
    );
    await set(safe);
  });
});

describe('a server that cannot be reached', () => {
  it('is told by code and name, and no word of it is secret', async () => {
    const wrong = url.replace(/\/\/(\w+)@127\.0\.0\.1:\d+/, '//$1:s3cret@127.0.0.1:1');
    await expect(openStore({ url: wrong })).rejects.toMatchObject({
      ...away,
      message: expect.not.stringContaining('s3cret'),
    });
    const named = wrong.replace('127.0.0.1', 'localhost');
    await expect(openStore({ url: `${named}?ssl=verify` })).rejects.toMatchObject(away);
    await expect(openStore({ url: server.url('nowhere') })).rejects.toMatchObject(away);
  });
});
